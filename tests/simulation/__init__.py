"""Whole operators against models of the servers, in virtual time; and a model of the failover that SPIN checks."""
