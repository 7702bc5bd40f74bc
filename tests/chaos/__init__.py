"""Chaos on real servers: replicas, API server, etcd and bucket fail in every way under load, and the monitors judge it.

`make chaos ARGS="--seconds 600 --seed 7"`. A failing run prints its seed and its schedule; a seed always draws the same.
"""
