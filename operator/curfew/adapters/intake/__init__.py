"""How audit events arrive: over HTTPS, in a file that is followed, or on standard input. Each hands batches to a sink.

What is read is bounded in bytes and time before anything looks at it; only the sink parses.
"""
