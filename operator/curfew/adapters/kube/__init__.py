"""The API server: `KubeCluster` is `curfew.ports.Cluster` on a real one.

connection   where it is, who we are to it, how a rotated token is noticed
failures     what its refusals, its silence and its nonsense mean to us
cluster      the calls, one method each
"""

from curfew.adapters.kube.cluster import KubeCluster
from curfew.adapters.kube.connection import Connection, find_cluster
from curfew.adapters.kube.failures import NoCluster

__all__ = ["Connection", "KubeCluster", "NoCluster", "find_cluster"]
