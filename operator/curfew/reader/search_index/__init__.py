"""The index that a search keeps of verified records: a SQLite file, and the segments beside it.

`index` is what a search uses; `rows` is what is kept of a segment, `file` where it is kept, `writer` how it gets there, and
`matching` which records may answer a question.
"""
