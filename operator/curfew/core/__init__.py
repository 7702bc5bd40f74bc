"""The rules: what follows from what is known. Pure functions over frozen values, the instant among them."""
