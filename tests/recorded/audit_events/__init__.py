"""Audit events that a real API server wrote, each named by its step, and the script that records them anew."""
