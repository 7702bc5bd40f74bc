"""`curfew unlock`: lift locks, by name or by what they lock."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from curfew.api.access_lock import AccessLock
from curfew.api.names import OBJECT_NAME
from curfew.audit.wording import printable
from curfew.cli import locking
from curfew.cli.kubectl import Kubectl, KubectlFailed, kubectl_options


@click.command("unlock")
@click.argument("lock", metavar="[LOCK|PERSON]", required=False)
@locking.target_options
@kubectl_options
def unlock(
    lock: str | None, policy: str | None, namespace: str | None, *, everything: bool, context: str, kubeconfig: str
) -> None:
    """Lift one lock by its name, or all locks on a person, a policy, a namespace or everything.

    Deletes the AccessLocks with your own kubectl. What they ended stays ended: people ask again. Nobody lifts a lock on
    themselves.

    \b
    Exit code 0: the locks are lifted.
              1: there is none, or one could not be lifted.
              2: the options are wrong.
    """  # noqa: D301  click's mark for lines that stay as they are
    wanted = locking.target(lock, policy, namespace, everything=everything)
    kubectl = Kubectl(context, kubeconfig)
    try:
        for name in _found(locking.read_locks(kubectl), lock, wanted):
            kubectl.run(["delete", locking.KIND, name, "--output=name"])
            click.echo(f"AccessLock {name} is lifted.")
    except KubectlFailed as error:
        raise click.ClickException(str(error)) from None


def _found(
    locks: Sequence[AccessLock | locking.UnreadableLock], name: str | None, target: Mapping[str, Any]
) -> Sequence[str]:
    """Return the name of the lock that was named, or of all locks with a target. Raise `KubectlFailed` if there is none."""
    by_name = [_name(one) for one in locks if _name(one) == name]
    names = by_name or [_name(one) for one in locking.with_target(locks, target)]
    if not names:
        what = "everything" if "everything" in target else printable(str(next(iter(target.values()))))
        raise KubectlFailed(f"there is no lock {what}, and none on it; curfew locks lists them")
    return [one for one in names if OBJECT_NAME.fullmatch(one)]


def _name(lock: AccessLock | locking.UnreadableLock) -> str:
    return lock.metadata.name if isinstance(lock, AccessLock) else lock.name
