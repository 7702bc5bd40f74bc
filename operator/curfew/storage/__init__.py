"""Parts that work with any object store: time limits, and objects that are not part of a log."""
