"""The index that a search keeps of verified records: a SQLite file, and the segments beside it.

`index` is the part that a search uses; `rows` makes the index entries of a segment, `file` holds them, `writer` adds
them, and `matching` finds the records that may answer a question.
"""
