"""Ninety days of a company of two hundred, with labelled incidents: what the detectors are held against."""
