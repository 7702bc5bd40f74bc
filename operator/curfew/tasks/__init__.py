"""The tasks of a process: which may never end, which begin again, and what happens when one fails. It knows no process."""
