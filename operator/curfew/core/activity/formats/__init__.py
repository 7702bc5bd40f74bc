"""Audit events as each source writes them, as calls: Kubernetes itself, and three clouds."""
