"""What a log proves about access in a period, for an auditor: population, tests, exceptions, samples, controls.

Pure: it takes records in the order of a verified log, and knows nothing about stores, files, HTML or the clock.
"""
