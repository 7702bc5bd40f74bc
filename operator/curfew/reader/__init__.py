"""Reading a log, with every check on the way.

It does not know the command line: errors are plain, and progress is reported to the caller.
"""
