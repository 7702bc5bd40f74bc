"""The processes: each is composed here from the layers below, and does not know the other processes."""
