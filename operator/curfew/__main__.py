"""`python -m curfew` is the `curfew` command."""

from curfew.cli import main

main()
