"""Settings: the input of a process at its start, read with bounds and with errors in words."""
