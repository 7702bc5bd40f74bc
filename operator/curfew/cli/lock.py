"""`curfew lock`: stop a person, or everything, at once."""

import contextlib

import click

from curfew.adapters.clock import SystemClock
from curfew.api.access_lock import AccessLock
from curfew.api.names import API_VERSION
from curfew.api.times import format_time, parse_duration
from curfew.audit.wording import count, in_utc, printable
from curfew.cli import locking
from curfew.cli.kubectl import Kubectl, KubectlFailed, KubectlRefused, kubectl_options

WAIT_SECONDS = 10


@click.command("lock")
@click.argument("person", required=False)
@locking.target_options
@click.option("--reason", required=True, help="Why. Those whose access ends read it, and it is recorded.")
@click.option("--for", "length", metavar="DURATION", help="How long, such as 2h or 30m. Default: until it is lifted.")
@click.option("--name", metavar="NAME", help="The name of the AccessLock. Default: lock- and five random characters.")
@click.option("--wait/--no-wait", default=True, help="Wait until the lock is in force. Default: wait.")
@kubectl_options
def lock(
    person: str | None,
    policy: str | None,
    namespace: str | None,
    *,
    everything: bool,
    reason: str,
    length: str | None,
    name: str | None,
    wait: bool,
    context: str,
    kubeconfig: str,
) -> None:
    """End all grants of PERSON at once, and refuse new ones until the lock is lifted.

    Makes an AccessLock with your own kubectl (KUBECTL_PATH, or kubectl on PATH) and your own rights; the chart's ClusterRole
    curfew-locker has them. It ends access whatever state the log, the policy or the role is in.

    \b
    curfew lock alice@example.com --reason "laptop stolen"
    curfew lock --namespace payments --reason "incident 4711" --for 2h

    \b
    Exit code 0: the lock is in force.
              1: it could not be made, or is not known to be in force after 10 s.
              2: the options are wrong.
    """  # noqa: D301  click's mark for lines that stay as they are
    wanted = locking.target(person, policy, namespace, everything=everything)
    kubectl = Kubectl(context, kubeconfig)
    try:
        spec = {"target": wanted, "reason": reason, "submittedBy": kubectl.who_am_i(), **_end(length)}
        named = {"name": name} if name else {"generateName": "lock-"}
        manifest = {"apiVersion": API_VERSION, "kind": "AccessLock", "metadata": named, "spec": spec}
        made = _readable(locking.read_lock(kubectl.create(manifest)))
        click.echo(f"AccessLock {printable(made.metadata.name)} is made: {locking.what(made)} is locked{_until(made)}.")
        if wait:
            _await(kubectl, made.metadata.name)
    except KubectlFailed as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Lift it with: curfew unlock {printable(made.metadata.name)}")


def _end(length: str | None) -> dict[str, str]:
    """Return the end of a lock that is to last so long, or raise `click.UsageError`."""
    if length is None:
        return {}
    try:
        lasts = parse_duration(length)
        ends = SystemClock().now() + lasts
    except (ValueError, OverflowError):
        raise click.UsageError(f"--for {printable(length)} is not a duration such as 2h or 30m") from None
    if lasts.total_seconds() < 1:
        raise click.UsageError(f"--for {printable(length)} is no time at all; the shortest is 1s")
    return {"endsAt": format_time(ends.replace(microsecond=0))}


def _readable(made: AccessLock | locking.UnreadableLock) -> AccessLock:
    if not isinstance(made, AccessLock):
        raise KubectlFailed(f"AccessLock {printable(made.name)} was made, and cannot be read; upgrade this command")
    return made


def _until(made: AccessLock) -> str:
    return f" until {in_utc(made.spec.ends_at)}" if made.spec.ends_at is not None else " until it is lifted"


def _await(kubectl: Kubectl, name: str) -> None:
    """Return when the lock's status shows that it is in force. Raise `KubectlFailed` if it does not in time."""
    with contextlib.suppress(KubectlRefused):  # of a wait that was in vain, the status tells more
        kubectl.run(
            ["wait", f"{locking.KIND}/{name}", "--for=condition=InForce", f"--timeout={WAIT_SECONDS}s", "--output=name"]
        )
    seen = locking.read_lock(kubectl.read(["get", locking.KIND, name]))
    if not isinstance(seen, AccessLock) or not locking.is_in_force(seen):
        raise KubectlFailed(
            f"AccessLock {printable(name)} is made, but is not known to be in force after {WAIT_SECONDS} s. "
            "Check that the operator runs, and its /readyz. To end a grant without it: kubectl delete rolebinding NAME "
            "-n NAMESPACE (kubectl get rolebindings -A -l curfew.dev/request-uid lists the grants)"
        )
    click.echo(f"It is in force. {count(seen.status.grants_ended or 0, 'grant')} ended so far (curfew locks).")
