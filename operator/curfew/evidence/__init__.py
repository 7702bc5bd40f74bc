"""What a log proves about access in a period, for an auditor: population, tests, exceptions, samples, controls.

Pure: it is given records in the order of a verified log and knows nothing of stores, files, HTML or the clock.
"""
