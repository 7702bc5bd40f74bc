"""What looks wrong in the logs: each detector folds records into alerts. Pure: the same records give the same alerts."""
