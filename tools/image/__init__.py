"""The container image: built the same each time, and the list of what is in it."""
