"""Reading a log, with every check on the way.

Knows no command line: errors are plain, and progress is reported to the caller.
"""
