"""The API server: `KubeCluster` is `curfew.ports.Cluster` on a real one.

connection   where it is, who we are to it, how a rotated token is noticed
failures     what its refusals, its silence and its nonsense mean to us
calling      one call: how it is sent and given up
cluster      the calls, one method each
probing      attempts that must be refused, as Curfew and as a service account that can do nothing of use
locking      a lock on everything, for who ends everything
workloads    how many pods of a Deployment are ready
monitoring   the calls of the monitor: verdicts, test calls, how many API servers there are
"""

from curfew.adapters.kube.cluster import KubeCluster
from curfew.adapters.kube.connection import Connection, find_cluster
from curfew.adapters.kube.failures import NoCluster
from curfew.adapters.kube.locking import KubeLocker
from curfew.adapters.kube.monitoring import KubeMonitor
from curfew.adapters.kube.probing import KubeProber
from curfew.adapters.kube.workloads import KubeWorkloads

__all__ = [
    "Connection",
    "KubeCluster",
    "KubeLocker",
    "KubeMonitor",
    "KubeProber",
    "KubeWorkloads",
    "NoCluster",
    "find_cluster",
]
