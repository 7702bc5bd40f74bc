"""What the commands about locks have in common: the target as people type it, and reading locks through kubectl."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click
from pydantic import ValidationError

from curfew.api.access_lock import AccessLock, LockTarget
from curfew.audit.wording import printable
from curfew.cli.kubectl import Kubectl, KubectlFailed
from curfew.core.lock_status import IN_FORCE
from curfew.core.locks import in_words, normal, target_of

KIND: Final = "accesslocks.curfew.dev"
"""What kubectl is asked for: the short name could belong to somebody else's kind."""

NAMES_ONE: Final = "name exactly one of PERSON, --policy, --namespace and --everything"


@dataclass(frozen=True, slots=True)
class UnreadableLock:
    """A lock that this version cannot read."""

    name: str


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name what is locked to a command."""
    for option in (
        click.option("--everything", is_flag=True, help="Everything in the cluster."),
        click.option("--namespace", "-n", metavar="NAMESPACE", help="Everything in a namespace."),
        click.option("--policy", metavar="NAMESPACE/NAME", help="Everything under an AccessPolicy."),
    ):
        command = option(command)
    return command


def target(person: str | None, policy: str | None, namespace: str | None, *, everything: bool) -> dict[str, Any]:
    """Return the target of a lock, or raise `click.UsageError` if not exactly one was named."""
    given: dict[str, Any] = {
        "person": person,
        "policy": policy,
        "namespace": namespace,
        "everything": everything or None,
    }
    named = {field: value for field, value in given.items() if value}
    if len(named) != 1:
        raise click.UsageError(NAMES_ONE)
    return named


def read_locks(kubectl: Kubectl) -> list[AccessLock | UnreadableLock]:
    """Return all locks, the newest last. Raise `KubectlFailed`."""
    answer = kubectl.read(["get", KIND])
    items = answer.get("items") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise KubectlFailed("kubectl did not answer with a list of AccessLocks; check that KUBECTL_PATH names kubectl")
    found = [read_lock(item) for item in items]
    return sorted(
        found, key=lambda one: "" if isinstance(one, UnreadableLock) else str(one.metadata.creation_timestamp)
    )


def read_lock(body: object) -> AccessLock | UnreadableLock:
    """Return a lock from the answer of the API server."""
    try:
        return AccessLock.model_validate(body)
    except ValidationError:
        meta = body.get("metadata") if isinstance(body, Mapping) else None
        name = meta.get("name") if isinstance(meta, Mapping) else None
        return UnreadableLock(str(name))


def with_target(locks: Iterable[AccessLock | UnreadableLock], wanted: Mapping[str, Any]) -> Iterator[AccessLock]:
    """Yield the locks that have a target, whatever the spelling of a person's name."""
    target = normal(LockTarget.model_construct(**wanted))
    return (one for one in locks if isinstance(one, AccessLock) and target_of(one) == target)


def is_in_force(lock: AccessLock) -> bool:
    """Whether Curfew keeps to a lock, as its status shows."""
    return any(one.type == IN_FORCE and one.status == "True" for one in lock.status.conditions)


def what(lock: AccessLock) -> str:
    """Return what is locked, safe to print."""
    return printable(in_words(lock.spec.target))
