"""What `make bench` measures, one subject a file; each figure is compared with something measured in the same run."""
