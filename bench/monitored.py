"""How soon the monitor answers after the end of a grant, and that the operator does not feel whether there is a monitor.

While the monitor is up, down and overloaded in turn, people are given access each second. When a binding was made and removed
is read from the API server's audit log, so neither the operator's nor the monitor's own word counts.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from bench.cluster import WatchedCluster, watched_cluster
from bench.figures import Figure, at_most
from bench.plan import Plan
from bench.process import Failed, on_cores
from curfew.api.names import binding_name
from tools.installation import OPERATOR
from tools.servers.pki import PEOPLE

ABOUT = "answer after the end of a grant, and leave the operator alone; 6 minutes"
WITHIN: Final = 5.0
"""Seconds after the end of a grant until the answer is final, if the API server sends its events at once."""

UP, DOWN, FLOODED = "up", "down", "overloaded"
PERIOD: Final = 1.5
"""How often the plan's seconds are in the time for which the monitor is in one state."""

LEAST_PERIOD: Final = 4.0
TURNS: Final = 6
GRANT: Final = 60.0
"""Seconds: the shortest that can be asked for."""

ENOUGH: Final = 3
LONGEST: Final = 600.0

CALL: Final = 5.0
"""Milliseconds: about what one call of the API server takes. Less than that is no difference."""

Span = tuple[datetime, datetime]


def measure(plan: Plan) -> Iterator[Figure]:
    """Measure both on one control plane."""
    with watched_cluster() as cluster:
        with plan.progress("ending grants and waiting for the answers"):
            yield _answers(cluster, max(2, round(plan.seconds)))
        period = max(LEAST_PERIOD, plan.seconds * PERIOD)
        with plan.progress(f"giving access each second for {TURNS * period + GRANT:.0f} s or longer"):
            spans = _give(cluster, period)
        yield from _beside(spans, _seen(cluster, max(until for own in spans.values() for _, until in own)))


# --- the answer -----------------------------------------------------------------------------------------------------------


def _answers(cluster: WatchedCluster, number: int) -> Figure:
    late = []
    for _ in range(number):
        name = cluster.asked()
        cluster.decide(name, "Approve")
        cluster.until(name, lambda status: status.get("phase") == "Active")
        cluster.read()
        cluster.decide(name, "Revoke")
        status = cluster.until(name, lambda status: status.get("activity", {}).get("final") is True)
        if status["activity"]["changes"] != "No" or status["activity"]["reads"] < 1:
            raise Failed(f"of a session that only reads, the answer is {status['activity']}")
        late.append((_time(status["activity"]["asOf"]) - _time(status["endedAt"])).total_seconds())
    return Figure(
        "monitored",
        "from the end of a grant to the final answer, at most",
        max(late),
        "s",
        f"{number} sessions, each answered with No; median {median(late):.2f} s",
        at_most(WITHIN),
    )


# --- the operator beside it -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Measured:
    """When something happened, and how long it took or how late it was, in milliseconds."""

    at: datetime
    took: float


def _give(cluster: WatchedCluster, period: float) -> Mapping[str, Sequence[Span]]:
    """Give access each second while the state of the monitor changes, and return when it was in which.

    This lasts until enough grants have ended in each state.
    """
    spans: dict[str, list[Span]] = {state: [] for state in (UP, DOWN, FLOODED)}
    ends: list[datetime] = []
    states = cycle([(UP, _left_alone), (DOWN, _stopped), (FLOODED, _flooded)])
    began = time.monotonic()
    while (lasted := time.monotonic() - began) < TURNS * period + GRANT or not _is_enough(spans, ends):
        if lasted > LONGEST:
            raise Failed(f"in {LONGEST:.0f} s, too few grants have ended in one of the states of the monitor")
        state, brought_about = next(states)
        with brought_about(cluster, period):
            since, until = datetime.now(UTC), time.monotonic() + period
            while (now := time.monotonic()) < until:
                cluster.decide(cluster.asked(), "Approve")
                ends.append(datetime.now(UTC) + timedelta(seconds=GRANT))
                time.sleep(max(0.0, min(now + 1, until) - time.monotonic()))
            spans[state].append((since, datetime.now(UTC)))
    return spans


def _is_enough(spans: Mapping[str, Sequence[Span]], ends: Sequence[datetime]) -> bool:
    return all(sum(_is_in(end, own) for end in ends) >= ENOUGH for own in spans.values())


@contextmanager
def _left_alone(cluster: WatchedCluster, _: float) -> Iterator[None]:
    yield


@contextmanager
def _stopped(cluster: WatchedCluster, _: float) -> Iterator[None]:
    cluster.monitor.kill()
    try:
        yield
    finally:
        cluster.start_monitor()


@contextmanager
def _flooded(cluster: WatchedCluster, seconds: float) -> Iterator[None]:
    """Send audit events as fast as it goes, from the monitor's own core: the operator is not to lack one."""
    feed = cluster.feed
    words = [sys.executable, "-m", "bench.sending", str(feed.port), str(feed.ca), str(feed.token), str(seconds)]
    with on_cores(1), subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout is not None
        flood.stdout.readline()  # it has begun
        try:
            yield
        finally:
            flood.terminate()


def _seen(cluster: WatchedCluster, until: datetime) -> Mapping[str, Sequence[_Measured]]:
    """Return how long access took from each approval on, and how late each end up to an instant was, by the audit log."""
    requests = [request for request in cluster.all() if request["status"]["phase"] in ("Active", "Expired")]
    ends = {request["metadata"]["name"]: _time(request["status"]["expiresAt"]) for request in requests}
    over = [name for name, promised in ends.items() if promised < until]
    for name in over:
        cluster.until(name, lambda status: status["phase"] == "Expired")
    approved, made, removed = _written(cluster.audit_log)
    bindings = {request["metadata"]["name"]: binding_name(request["metadata"]["uid"]) for request in requests}
    began = [_Measured(approved[name], _ms(made[binding] - approved[name])) for name, binding in bindings.items()]
    ended = [_Measured(ends[name], _ms(removed[bindings[name]] - ends[name])) for name in over]
    return {"from approval to access": began, "from the promised end to its removal": ended}


def _written(log: Path) -> tuple[dict[str, datetime], dict[str, datetime], dict[str, datetime]]:
    """Return when approvals, makings and removals of bindings were done, by the name of the request or the binding."""
    approved: dict[str, datetime] = {}
    made: dict[str, datetime] = {}
    removed: dict[str, datetime] = {}
    with log.open() as lines:
        for event in map(json.loads, lines):
            about = event.get("objectRef", {})
            if event["stage"] != "ResponseComplete" or event["responseStatus"]["code"] >= 300:
                continue
            match event["user"].get("username"), event["verb"], about.get("resource"):
                case who, "patch", "accessrequests" if who == PEOPLE["bob"]:
                    approved.setdefault(about["name"], _time(event["stageTimestamp"]))
                case who, "create" | "patch", "rolebindings" if who == OPERATOR:
                    made.setdefault(about["name"], _time(event["stageTimestamp"]))
                case who, "delete", "rolebindings" if who == OPERATOR:
                    removed.setdefault(about["name"], _time(event["stageTimestamp"]))
    return approved, made, removed


def _beside(spans: Mapping[str, Sequence[Span]], seen: Mapping[str, Sequence[_Measured]]) -> Iterator[Figure]:
    """Yield each figure in each state. With a monitor, the median may not be beyond what is usual without one."""
    for what, measured in seen.items():
        in_state = {state: [one.took for one in measured if _is_in(one.at, own)] for state, own in spans.items()}
        without = in_state[DOWN]
        most = max(quantiles(without, n=20)[-1], median(without) + CALL)
        for state, times in in_state.items():
            yield Figure(
                "monitored",
                f"{what}, monitor {state}",
                median(times),
                "ms",
                f"{len(times)} grants, at most {max(times):.0f} ms; with the monitor down, {median(without):.1f} ms, "
                f"and 19 of 20 within {quantiles(without, n=20)[-1]:.0f} ms",
                None if state == DOWN else at_most(most),
            )


def _is_in(at: datetime, spans: Sequence[Span]) -> bool:
    return any(since <= at <= until for since, until in spans)


def _ms(duration: timedelta) -> float:
    return duration / timedelta(milliseconds=1)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
