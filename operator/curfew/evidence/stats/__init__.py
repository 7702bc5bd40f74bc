"""What `curfew stats` counts: how long requests wait and for what, who is asked, and what is used. A fold over records."""
