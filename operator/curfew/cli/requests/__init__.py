"""The commands about requests: `kubectl curfew request, list, show, approve` and others. They run the user's own kubectl."""
