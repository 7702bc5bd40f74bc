"""The command line of the chaos: `python -m tests.chaos --seconds 600 --seed 7`."""

import argparse
import asyncio
import logging
import secrets
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from curfew.cli.audit.check_output import histogram
from curfew.evidence.history.breach import JudgedPromise
from tests.chaos.disk import small_disk
from tests.chaos.run import ChaosPlan, ChaosResult, key_of, play
from tests.chaos.schedule import FaultKind, drawn_schedule
from tests.integration.installed import Installed
from tools.servers.environment import Environment
from tools.servers.errors import ServersError
from tools.servers.folders import OwnFolder, cache_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, show what was found, and return 0 if nothing was, 1 if something was, 3 if the servers cannot be had."""
    asked = _parser().parse_args(arguments)
    only = frozenset(FaultKind[name] for name in asked.only)
    schedule = drawn_schedule(asked.seed, asked.seconds, asked.replicas, only)
    plan = ChaosPlan(asked.seed, asked.seconds, asked.replicas, schedule, asked.rate, timedelta(seconds=asked.late))
    print(f"Seed {plan.seed}: {len(schedule)} faults in {plan.seconds:g} s, {plan.replicas} replicas", flush=True)
    if asked.dry_run:
        print("\n".join(map(str, schedule)))
        return 0
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it complains of connections that are cut on purpose
    folder = OwnFolder()
    has_failed = True
    try:
        with ExitStack() as stack:
            disk = stack.enter_context(small_disk(folder.path / "servers" / "s3"))
            if disk is None:
                print("No disk can be mounted here: a full one is played by answers 507.", flush=True)
            cluster = Installed(stack.enter_context(Environment(folder.path / "servers")))
            stack.callback(cluster.close)
            cluster.install()
            work = folder.path / "chaos"
            work.mkdir()
            result = asyncio.run(play(plan, cluster, work, key_of(cluster), disk))
            has_failed = bool(result.verdict.problems)
        show(plan, result)
    except ServersError as error:
        print(error, file=sys.stderr)
        return 3
    finally:
        if has_failed:
            print(f"What the servers and the replicas wrote is in {_kept(folder.path, plan.seed)}.")
        folder.close(remove=True)
    return int(has_failed)


def show(plan: ChaosPlan, result: ChaosResult) -> None:
    """Print what a run has shown; with a problem, all that is needed to have it again."""
    judgement, load = result.verdict.judgement, result.load
    print(
        f"{judgement.requests:,} requests ({', '.join(f'{way} {number}' for way, number in load.ways.items())}), "
        f"{judgement.bindings:,} bindings, {judgement.records:,} records; "
        f"{load.unmade} could not be made"
    )
    print(
        f"{len(result.faults.done)} faults; no replica could reach the API server "
        f"for {result.unreachable.total_seconds():.0f} s"
    )
    for promise in JudgedPromise:
        unclear = judgement.number(promise, is_certain=False)
        print(f"  {promise:<4} {promise.meaning}: broken {judgement.number(promise)}, not clear {unclear}")
        for one in judgement.unclear[promise][:5]:
            print(f"         not clear: {one.sentence}")
    for row in histogram(judgement.lateness):
        print(f"  {row}")
    for problem in result.verdict.problems:
        print(f"PROBLEM: {problem}")
    if result.verdict.problems:
        print("The faults as they were:")
        for begun, ended, fault in result.faults.done:
            print(f"  {begun:%H:%M:%S.%f} to {ended:%H:%M:%S.%f}  {fault}")
        print(
            f'Have it again: make chaos ARGS="--seed {plan.seed} --seconds {plan.seconds:g} --replicas {plan.replicas}"'
        )


def _kept(folder: Path, seed: int) -> Path:
    """Copy what was written to where the next run leaves it alone, and return where that is."""
    to = cache_folder() / "chaos" / f"seed-{seed}"
    shutil.rmtree(to, ignore_errors=True)
    for log in folder.rglob("*.log"):
        (to / log.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, to / log.relative_to(folder))
    return to


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long faults come")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="what the schedule is drawn from")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument(
        "--late",
        type=float,
        default=2.0,
        help="seconds that an end may be late while a replica can reach the API server",
    )
    parser.add_argument("--rate", type=float, default=1.0, help="requests a second")
    parser.add_argument(
        "--only", nargs="*", default=[], choices=[kind.name for kind in FaultKind], help="leave all other faults out"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the schedule, and play nothing")
    return parser
