"""What ends access without the operator: what is over (`expired`), and all of it before a release goes (`everything`)."""
