"""The monitor's parts and how they are put together: the only place in the monitor that chooses adapters."""

import functools
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from curfew.adapters.clock import SystemClock
from curfew.adapters.events import Recorder
from curfew.adapters.intake.files import FileFollower
from curfew.adapters.intake.settings import Begin, FollowSettings, WebhookSettings
from curfew.adapters.intake.webhook import WebhookServer
from curfew.adapters.kube import KubeMonitor
from curfew.adapters.notifying.sending import AppriseNotifier
from curfew.adapters.objectstore import open_store
from curfew.adapters.signing import open_signers
from curfew.adapters.telemetry import MonitorTelemetry
from curfew.adapters.variables import Variables
from curfew.audit.record import Record
from curfew.core.activity import records
from curfew.core.activity.noticing.noticing import Noticing
from curfew.core.activity.sessions import Sessions
from curfew.core.detectors.alert import Severity, WhichLog
from curfew.core.detectors.all import DETECTORS, engine
from curfew.core.detectors.configuration import changed_configuration
from curfew.core.detectors.records import OTHERS
from curfew.core.detectors.responses import Answers
from curfew.ports import Clock
from curfew.processes.monitor.alerting import Alerting
from curfew.processes.monitor.arrivals import Arrivals
from curfew.processes.monitor.assessing import KEEP, Assessing
from curfew.processes.monitor.canaries import Canaries
from curfew.processes.monitor.cutting import Cutting
from curfew.processes.monitor.detecting import Detecting
from curfew.processes.monitor.drops import Drops
from curfew.processes.monitor.durability import Durability
from curfew.processes.monitor.feed import Feed, Lost
from curfew.processes.monitor.following import TrailReader
from curfew.processes.monitor.intake import Intake
from curfew.processes.monitor.late_grants import LateGrants
from curfew.processes.monitor.noticing import Noticer
from curfew.processes.monitor.notifying import Notifying
from curfew.processes.monitor.observer import ActivityObserver
from curfew.processes.monitor.reading import LogReader
from curfew.processes.monitor.recollection import Recollection
from curfew.processes.monitor.responses import Responses
from curfew.processes.monitor.statuses import Statuses
from curfew.settings.intake import FileSection, WebhookSection
from curfew.settings.mappings import load_mappings
from curfew.settings.monitor import MonitorSettings
from curfew.trail import Appender, People, PunctualStore

log = structlog.get_logger("curfew")

READ_TIMEOUT = timedelta(seconds=10)
"""How long the store of the operator's log may take for one object. Batches wait for that, and their senders wait 30 s."""


@dataclass(frozen=True, slots=True)
class MonitorParts:
    """Everything that the monitor consists of."""

    settings: MonitorSettings
    telemetry: MonitorTelemetry
    clock: SystemClock
    variables: Variables | None
    sessions: Sessions
    trail: TrailReader
    own: Appender[Recollection]
    feed: Feed
    canaries: Canaries
    intake: Intake
    assessing: Assessing
    statuses: Statuses
    cutting: Cutting
    notifying: Notifying
    webhook: WebhookServer | None
    files: Mapping[str, FileFollower]
    kept: Arrivals
    """Counts what arrives from files and on standard input."""
    lost: Lost
    late_grants: LateGrants
    events: Recorder
    detecting: Detecting
    responses: Responses
    noticer: Noticer


def wire(settings: MonitorSettings, cluster: KubeMonitor, telemetry: MonitorTelemetry) -> MonitorParts:
    """Put the parts together. Keys and credentials are read; nothing else is read, and nothing is written.

    Raise `KeyRefused`, `StoreError` or `SettingsRefused` if something that the settings name cannot be used.
    """
    clock, sessions, durability = SystemClock(), Sessions(), Durability()
    recorder = Recorder(cluster, clock, telemetry.event_dropped)
    variables: Variables | None = None
    if settings.audit.credentials_folder is not None:
        variables = Variables(settings.audit.credentials_folder)
        variables.read()
    signer, previous = open_signers(settings.audit)
    people = People(open_store(settings.audit.people), clock) if settings.audit.people else None
    name, span = settings.audit.log, settings.limits.max_grant + KEEP

    def durable(records: Sequence[Record]) -> None:
        durability.moved()
        detecting.changed()
        alerting.durable(records)

    noticing = Noticing(name, settings.coverage.namespace, sessions, settings.outside.allowances)
    own = Appender(
        open_store(settings.audit.url, retention=settings.audit.retention),
        clock,
        signer,
        name,
        socket.gethostname(),
        observer=ActivityObserver(telemetry, durable),
        remember=functools.partial(Recollection, name, sessions, span, noticing),
        previous=previous,
        heartbeat=settings.audit.heartbeat,
        window=span,
        worm_required=settings.audit.worm == "required",
        attest_every=settings.audit.attest_every,
        people=people,
        keep_for=settings.audit.keep_for,
    )

    def lost(since: datetime, at: datetime, why: str) -> None:
        log.warning("the feed of audit events has a hole", since=str(since), to=str(at), why=why)
        own.submit([records.coverage_lost(name, since=since, at=at, why=why)])

    feed = Feed(clock, lost)
    canaries = Canaries(
        cluster,
        feed,
        clock,
        log=name,
        namespace=settings.coverage.namespace,
        every=settings.coverage.every,
        servers=settings.coverage.servers,
        submit=lambda record: own.submit([record]),
        lost=lost,
        look_for_drops=Drops(cluster, clock, lost).look,
        arrived=telemetry.canary_arrived,
        changed=lambda: assessing.changed(),
    )
    statuses = Statuses(cluster, telemetry.status_dropped)
    cutting = Cutting(cluster, clock, lambda record: own.submit([record]))
    assessing = Assessing(
        sessions,
        canaries,
        clock,
        telemetry,
        span=span,
        memory=lambda: own.memory,
        submit=lambda record: own.submit([record]),
        write=statuses.write,
        cutting=cutting,
    )
    notifying = _notifying(settings, clock, telemetry, own)
    late_grants = LateGrants(sessions.learn, lost)

    def trail_grew() -> None:
        assessing.changed()
        detecting.changed()

    trail_store = PunctualStore(open_store(settings.trail.url), READ_TIMEOUT)
    noticer = Noticer(
        noticing, cluster.bindings, clock, every=settings.outside.every, submit=lambda record: own.submit([record])
    )
    trail = TrailReader(
        trail_store,
        settings.trail.log,
        settings.trail.verifier,
        clock,
        span=span,
        people=people,
        learn=_each(late_grants.learn, noticing.learn_trail, notifying.learn),
        changed=trail_grew,
    )
    tuned = settings.tuned
    detectors = engine(tuned, log=name, now=clock.now(), privileged=settings.detection.privileged)
    severities = tuple(severity.name.capitalize() for severity in Severity)
    telemetry.know_detectors(dict.fromkeys((*DETECTORS, *OTHERS.values()), severities))
    alerting = Alerting(
        recorder,
        clock,
        telemetry,
        home=settings.coverage.namespace,
        is_silenced=lambda alert: detectors.silences.covering(alert) is not None,
        notify=notifying.alert,
    )
    own_store = PunctualStore(open_store(settings.audit.url), READ_TIMEOUT)
    detecting = Detecting(
        LogReader(trail_store, settings.trail.log, settings.trail.verifier, WhichLog.TRAIL, people),
        LogReader(own_store, name, None, WhichLog.ACTIVITY, people),
        detectors,
        clock,
        look_back=settings.detection.look_back,
        configured=lambda before, at: changed_configuration(tuned, before, name, at),
        submit=lambda record: own.submit([record]),
        reports=alerting,
        numbers=telemetry,
    )
    responses = Responses(
        cluster, Answers(detectors, name), detecting, clock, submit=lambda record: own.submit([record])
    )
    mappings = load_mappings(settings.intake.mappings)
    intake = Intake(
        trail,
        own,
        durability,
        canaries,
        feed,
        clock,
        telemetry,
        sessions=sessions,
        mappings=mappings,
        answered=responses.changed,
        notices=noticer,
    )
    section = settings.intake.webhook
    webhook = WebhookServer(_of(section, mappings), intake, Arrivals(feed, telemetry)) if section is not None else None
    kept = Arrivals(feed, telemetry, keeps=True)
    files = {one.source: FileFollower(_followed(one), intake, kept) for one in settings.intake.files}
    return MonitorParts(
        settings=settings,
        telemetry=telemetry,
        clock=clock,
        variables=variables,
        sessions=sessions,
        trail=trail,
        own=own,
        feed=feed,
        canaries=canaries,
        intake=intake,
        assessing=assessing,
        statuses=statuses,
        cutting=cutting,
        notifying=notifying,
        webhook=webhook,
        files=files,
        kept=kept,
        lost=lost,
        late_grants=late_grants,
        events=recorder,
        detecting=detecting,
        responses=responses,
        noticer=noticer,
    )


def _each(*learn: Callable[[Record], None]) -> Callable[[Record], None]:
    """Return what hands a record to each of several, in their order."""

    def all_of_them(record: Record) -> None:
        for one in learn:
            one(record)

    return all_of_them


def _notifying(
    settings: MonitorSettings, clock: Clock, telemetry: MonitorTelemetry, own: Appender[Recollection]
) -> Notifying:
    section = settings.notifications
    return Notifying(
        AppriseNotifier(section.routes, clock, link=section.link) if section.routes is not None else None,
        clock,
        telemetry,
        log_name=settings.audit.log,
        submit=lambda record: own.submit([record]),
        told=lambda: own.memory.told,
    )


def _of(section: WebhookSection, systems: Iterable[str]) -> WebhookSettings:
    return WebhookSettings(
        host=section.host,
        port=section.port,
        certificate=section.cert_file,
        key=section.key_file,
        client_ca=section.client_ca_file,
        tokens=section.token_file,
        lines_tokens=section.lines_token_file,
        systems=frozenset(systems),
    )


def _followed(section: FileSection) -> FollowSettings:
    return FollowSettings(
        path=section.path,
        source=section.source,
        form=section.format,
        position=section.position,
        begin=Begin(section.begin),
        rotated=section.rotated,
    )
