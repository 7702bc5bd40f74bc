"""The processes: each is composed here from the layers below, and knows no other."""
