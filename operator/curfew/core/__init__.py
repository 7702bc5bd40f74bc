"""The rules: what follows from what is known. Pure functions over frozen values; the current instant is one of them."""
