"""What people are told about requests: times and rules in words, who can approve, and what to do next.

Pure, and light: the plugin of kubectl starts with it, so nothing here needs more than the standard library. Objects are
read as kubectl writes them, and whatever is missing or not of the right kind counts as empty.
"""
