"""The `curfew` command, one module a group of subcommands."""
