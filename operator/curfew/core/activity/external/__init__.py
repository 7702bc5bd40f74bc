"""What other systems wrote down meanwhile: their log lines, tied to sessions, each with the strength of its tie.

A `LineMapping` describes the lines of one system. `reading` turns a line into an `ExternalEvent`, `tying` finds the
sessions that it belongs to, `recording` writes it down, and `taking` does all of it for a batch of lines.
Whoever writes the lines is not believed more than a tie shows: a client chooses many of the ids in them itself.
"""
