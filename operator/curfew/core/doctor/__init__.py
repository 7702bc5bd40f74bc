"""What `curfew doctor` finds: a small judge for each subject, which takes what was read and returns findings."""
