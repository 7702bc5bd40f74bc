"""A real control plane and a real bucket, without containers: the stock servers, built from pinned Go modules.

`python -m tools.servers` is for people; tests take `tools.servers.environment.Environment`, or one of its parts.
Nothing here is part of the product, and nothing here listens on anything but loopback.
"""
