"""What calls show besides what is done with grants: refused decisions, bindings outside, changed guards, where people are.

Pure: the same calls give the same records. All that a caller can choose is bounded, and what repeats is written once, or
counted.
"""
