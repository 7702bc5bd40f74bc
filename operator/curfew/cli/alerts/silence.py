"""`curfew alerts silence`: a person wants to hear nothing of certain alerts for a while."""

import click

from curfew.adapters.clock import SystemClock
from curfew.api.alert_response import ResponseAction
from curfew.api.times import format_time, parse_duration, parse_time
from curfew.audit.wording import printable
from curfew.cli.alerts.answering import create_response
from curfew.cli.kubectl import Kubectl, kubectl_options
from curfew.core.detectors.all import DETECTORS
from curfew.core.detectors.records import OTHERS
from curfew.core.detectors.silences import LONGEST_SILENCE


@click.command("silence", short_help="Silence alerts of a kind until a time, with a reason.")
@click.option("--detector", metavar="NAME", help="Only alerts of this detector.")
@click.option("--person", metavar="NAME", help="Only alerts about this person.")
@click.option("--namespace", metavar="NAME", help="Only alerts about this namespace.")
@click.option("--policy", metavar="NAMESPACE/NAME", help="Only alerts about this AccessPolicy.")
@click.option("--for", "length", metavar="DURATION", help="For how long, such as 8h: at most 2160h, which is 90 days.")
@click.option("--until", metavar="TIME", help="Until when, such as 2026-11-30T08:00:00Z.")
@click.option("--reason", required=True, help="Why; it is recorded.")
@kubectl_options
def silence(
    detector: str | None,
    person: str | None,
    namespace: str | None,
    policy: str | None,
    length: str | None,
    until: str | None,
    reason: str,
    context: str,
    kubeconfig: str,
) -> None:
    """Silence alerts: those that fit all that is given are recorded, and cause no Event and no notification.

    An AlertResponse is created with your own kubectl. The silence ends at its time, or when the object is deleted. Nobody
    can silence alerts about themselves.

    \b
    Examples:
      curfew alerts silence --detector UnfamiliarPlace --person bob@example.com --for 72h --reason "travels to Oslo"
      curfew alerts silence --policy payments/debug --until 2026-11-30T08:00:00Z --reason "load test"

    Exit code 0: the AlertResponse is there. 1: kubectl or the API server refused. 2: the command was wrong.
    """  # noqa: D301  click's mark for lines that stay as they are
    known = (*DETECTORS, *OTHERS.values())
    if detector is not None and detector not in known:
        raise click.UsageError(f"There is no detector {printable(detector)}. There are: {', '.join(known)}.")
    if policy is not None:
        place, _, name = policy.partition("/")
        if not place or not name or (namespace is not None and namespace != place):
            raise click.UsageError("Give --policy as NAMESPACE/NAME; then --namespace is not needed.")
        namespace, policy = place, name
    about = {"detector": detector, "person": person, "namespace": namespace, "policy": policy}
    given = {field: value for field, value in about.items() if value}
    if not given:
        raise click.UsageError("Give at least one of --detector, --person, --namespace and --policy.")
    ends_at = _end(length, until)
    spec = {"action": ResponseAction.SILENCE, **given, "reason": reason, "endsAt": ends_at}
    created = create_response(Kubectl(context=context, kubeconfig=kubeconfig), "silence", spec)
    click.echo(f"AlertResponse {created} silences these alerts until {ends_at}.")
    click.echo(f"To end the silence before: kubectl delete alertresponse {created}")


def _end(length: str | None, until: str | None) -> str:
    """Return when the silence ends, or raise `click.UsageError`."""
    if (length is None) == (until is None):
        raise click.UsageError("Give either --for or --until.")
    now = SystemClock().now()
    try:
        end = now + parse_duration(length) if length is not None else parse_time(until or "")
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"{'--for' if length is not None else '--until'}: {error}.") from error
    if not now < end <= now + LONGEST_SILENCE:
        raise click.UsageError(f"A silence ends in the future, and at most {LONGEST_SILENCE.days} days from now.")
    return format_time(end.replace(microsecond=0))
