"""The library of the tests: builders, strategies, and a world that can be made to fail."""
