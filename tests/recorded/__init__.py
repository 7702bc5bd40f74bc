"""A log that the real operator wrote, with one story for each way a request can go: what reads a log is tested on it."""
