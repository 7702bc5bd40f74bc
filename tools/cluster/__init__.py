"""A cluster with real pods, without Docker: each node is a tree of processes with namespaces of its own.

`make cluster` is for people; tests take `Environment(choice="pods")`. docs/cluster.md tells what it needs and how it is built.
"""
