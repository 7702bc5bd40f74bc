"""The operator's parts and how they are put together: the only place in the operator that chooses adapters."""

import functools
import os
import socket
from dataclasses import dataclass
from datetime import timedelta

from curfew.adapters.clock import LaterClock, SystemClock
from curfew.adapters.events import Recorder
from curfew.adapters.forwarding import Forwarder, open_sink
from curfew.adapters.kube import KubeCluster
from curfew.adapters.objectstore import open_store
from curfew.adapters.signing import open_signers
from curfew.adapters.telemetry import Telemetry
from curfew.adapters.variables import Variables
from curfew.api.names import LEADER_LEASE
from curfew.processes.operator.anchoring import Anchoring
from curfew.processes.operator.cleanup import Cleanup
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.election import Election
from curfew.processes.operator.enforcement import Enforcement
from curfew.processes.operator.guards import Guards
from curfew.processes.operator.keeping import Keeping
from curfew.processes.operator.known import Store
from curfew.processes.operator.lister import Lister
from curfew.processes.operator.lock_watch import LockWatch
from curfew.processes.operator.observer import Observer
from curfew.processes.operator.queue import WorkQueue
from curfew.processes.operator.recall import Recall, Trail
from curfew.processes.operator.reconciler import Reconciler
from curfew.processes.operator.reporting import Reporting
from curfew.processes.operator.revisions import Revisions
from curfew.processes.operator.roles import RoleWatch
from curfew.processes.operator.sweeper_watch import SweeperWatch
from curfew.processes.operator.timekeeping import Timekeeping
from curfew.processes.operator.turns import AT_ONCE
from curfew.settings.operator import Settings
from curfew.trail import People, PunctualStore, UsedNames

POD_NAME = "POD_NAME"
"""The variable with the name of the pod. It names this replica in the Lease and in the log."""

NAME_TIMEOUT = timedelta(seconds=5)
"""How long the store may take to report whether a name was used. The request waits for that."""

FOLD = timedelta(hours=1)
"""How much of the trail is read at the start, in addition to the longest grant."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the operator consists of."""

    settings: Settings
    cluster: KubeCluster
    election: Election
    telemetry: Telemetry
    clock: LaterClock
    known: Store
    recorder: Recorder
    reporting: Reporting
    variables: Variables | None
    trail: Trail
    anchoring: Anchoring
    forwarder: Forwarder | None
    enforcement: Enforcement
    sweeper: SweeperWatch
    timekeeping: Timekeeping
    cleanup: Cleanup
    counting: Counting
    reconciler: Reconciler
    queue: WorkQueue
    keeping: Keeping
    revisions: Revisions
    lister: Lister
    roles: RoleWatch
    locks: LockWatch


def wire(settings: Settings, cluster: KubeCluster, telemetry: Telemetry) -> Parts:
    """Put the parts together. Keys and credentials are read; nothing else is read, and nothing is written.

    Raise `KeyRefused`, `StoreError` or `SettingsRefused` if something that the settings name cannot be used.
    """
    own, known = SystemClock(), Store()
    clock = LaterClock(own)
    namespace = settings.enforcement.namespace
    recorder = Recorder(cluster, clock, telemetry.events_dropped, calm=lambda: queue.calm())
    reporting = Reporting(recorder, telemetry)
    variables: Variables | None = None
    if settings.audit.credentials_folder is not None:
        variables = Variables(settings.audit.credentials_folder)
        variables.read()
    signer, previous = open_signers(settings.audit)
    verifiers = [each.verifier for each in (signer, previous) if each is not None]
    anchoring = Anchoring(cluster, namespace, verifiers, telemetry)
    forwarder: Forwarder | None = None
    if settings.audit.forward is not None:
        forwarder = Forwarder(open_sink(settings.audit.forward), clock, settings.audit.log, telemetry)
    # The parts form a circle: the observer adds to the queue, and the queue calls the reconciler.
    guards = Guards(settings.audit.log, lambda: trail, clock)
    # A pod's name belongs to one pod for ever, and its processes follow each other. So does the name of a host without pods.
    log, me = settings.audit.log, os.environ.get(POD_NAME) or socket.gethostname()
    observer = Observer(
        known,
        reporting,
        anchoring,
        forwarder,
        guards,
        namespace=namespace,
        me=me,
        clock=clock,
        add=lambda key: queue.add(key),
    )
    election = Election(cluster.leases, own, observer, namespace=namespace, name=LEADER_LEASE, me=me)
    store = open_store(settings.audit.url, retention=settings.audit.retention)
    trail = Trail(
        store,
        clock,
        signer,
        log,
        me,
        observer=observer,
        remember=functools.partial(Recall, log, me),
        previous=previous,
        heartbeat=settings.audit.heartbeat,
        window=settings.limits.max_grant + FOLD,
        worm_required=settings.audit.worm == "required",
        attest_every=settings.audit.attest_every,
        people=People(open_store(settings.audit.people), clock) if settings.audit.people else None,
        keep_for=settings.audit.keep_for,
        leads=lambda: election.leads,
    )
    enforcement = Enforcement(
        cluster.prober(namespace, settings.enforcement.service_account),
        clock,
        namespace=namespace,
        account=settings.enforcement.service_account,
        every=settings.enforcement.every,
        changed=observer.enforcement_changed,
        told=telemetry.enforced,
    )
    sweeper = SweeperWatch(
        cluster,
        clock,
        namespace,
        seen=reporting.sweeper_seen,
        overdue=functools.partial(reporting.sweeper_overdue, namespace=namespace),
    )
    timekeeping = Timekeeping(own, observer.clock_changed, clock.prove)
    cluster.compare_clocks(own, timekeeping.answered)
    counting = Counting(known, cluster, trail, clock)
    cleanup = Cleanup(
        cluster,
        trail,
        clock,
        reporting,
        keep_for=settings.finished.keep_for,
        policy=known.policies.get,
        is_settled=counting.is_settled,
    )
    reconciler = Reconciler(
        known,
        cluster,
        trail,
        clock,
        reporting,
        names=UsedNames(PunctualStore(store, NAME_TIMEOUT), settings.audit.log),
        counting=counting,
        enforcement=lambda: enforcement.state,
        clock_state=lambda: timekeeping.state,
        is_past=clock.is_past,
        max_grant=settings.limits.max_grant,
        wake=lambda key: queue.add(key),
        closed=cleanup.closed,
        ends_wait=lambda: queue.ends_wait,
        others_wait=lambda: queue.waiting > 0,
        is_busy=lambda: queue.is_busy,
        leading=election,
    )
    trail.gather_if(lambda: queue.waiting >= AT_ONCE)
    queue = WorkQueue(reconciler.reconcile, clock, place=reconciler.place, on_error=reporting.failed, due=known.end_of)
    return Parts(
        settings=settings,
        cluster=cluster,
        election=election,
        telemetry=telemetry,
        clock=clock,
        known=known,
        recorder=recorder,
        reporting=reporting,
        variables=variables,
        trail=trail,
        anchoring=anchoring,
        forwarder=forwarder,
        enforcement=enforcement,
        sweeper=sweeper,
        timekeeping=timekeeping,
        cleanup=cleanup,
        counting=counting,
        reconciler=reconciler,
        queue=queue,
        keeping=Keeping(cluster.finished, cluster, trail, reporting, reconciler.gatherer.facts),
        revisions=Revisions(cluster),
        lister=Lister(known, cluster, queue.add, reporting.unreadable),
        roles=RoleWatch(cluster, known.roles, queue.add),
        locks=LockWatch(
            cluster.locks,
            known,
            clock,
            queue.add,
            changed=observer.locks_changed,
            complain=reporting.unreadable,
            listed=reconciler.locks.tell_deleted,
        ),
    )
