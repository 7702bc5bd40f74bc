"""Names from the cluster for completion: of requests and of policies."""

from typing import Any, Final

import click

from curfew.cli.kubectl import Kubectl, KubectlFailed
from curfew.cli.requests.access import POLICIES, REQUESTS

SECONDS: Final = 3.0
"""How long the cluster may take to complete a name. Nobody waits longer for a TAB."""


def request_names(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the requests of the namespace whose names begin with what was typed."""
    return _names(ctx, REQUESTS, typed)


def policy_names(ctx: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the policies of the namespace whose names begin with what was typed."""
    return _names(ctx, POLICIES, typed)


def _names(ctx: click.Context, kind: str, typed: str) -> list[str]:
    """Ask the cluster for names; without an answer there are none, because nobody wants an error instead of a name."""
    passed = [_option(name, value) for name, value in ctx.params.items() if name.startswith("passed_") and value]
    where = [f"--namespace={ctx.params['namespace']}"] if ctx.params.get("namespace") else []
    try:
        answer = Kubectl(more=tuple(passed), seconds=SECONDS).run(["get", kind, *where, "--output=name"])
    except KubectlFailed:
        return []
    names = [line.rpartition("/")[2] for line in answer.splitlines()]
    return [name for name in names if name.isprintable() and name.startswith(typed)]


def _option(name: str, value: Any) -> str:
    return f"--{name.removeprefix('passed_').replace('_', '-')}={value}"
