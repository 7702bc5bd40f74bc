"""The chart: what it renders, and what becomes of its releases."""
