"""A release: everything that is published, made by one command from one commit."""
