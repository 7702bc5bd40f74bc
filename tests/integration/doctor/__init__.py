"""The doctor in a healthy cluster, and in one that is not."""
