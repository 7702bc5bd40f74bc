"""`curfew doctor`: finds out what is wrong with Curfew in a cluster, through the caller's kubectl."""
