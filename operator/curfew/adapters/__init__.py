"""The doors to the world: the API server, the bucket, the clock, metrics and logs. They do not know each other."""
