"""The page of `kubectl curfew ui`: on loopback, for one person, with that person's rights. It decides nothing.

What it shows of the cluster, the person's own kubectl reads. What it shows of the logs, it reads and verifies as the commands
of `curfew` do. All of it was written by others: it is cut, made printable, and escaped.
"""
