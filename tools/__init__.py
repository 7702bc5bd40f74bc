"""Development tools: the pinned servers that the tests and the demo run against."""
