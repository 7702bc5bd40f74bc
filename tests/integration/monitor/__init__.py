"""The monitor beside an operator, on servers that send their audit events: what was done with access, and who is told."""
