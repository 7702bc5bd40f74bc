"""Settings: what a process is given at its start, read with bounds and with errors in words."""
