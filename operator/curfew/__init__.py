"""Just-in-time access for Kubernetes that ends on time and leaves a record nobody can rewrite."""
