"""`kubectl curfew list`: the requests, the open ones first, and what each waits for."""

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.requests.access import REQUESTS, ClusterAccess, cluster_options, failed, object_name
from curfew.cli.requests.names import policy_names
from curfew.cli.requests.output import say, table
from curfew.core.guidance.objects import FINAL_PHASES, ShownRequest, parts, read_request
from curfew.core.guidance.waiting import due, in_order, waits_for

SHOWN = 10
"""How many finished requests are shown without --all."""

OUTPUTS = click.Choice(["json", "yaml", "kyaml", "name"])


@click.command("list")
@click.argument("policy", required=False, shell_complete=policy_names)
@click.option("--mine", is_flag=True, help="Only your own requests.")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not over.")
@click.option("--all", "everything", is_flag=True, help=f"All finished requests, and not only the last {SHOWN}.")
@click.option("-o", "--output", type=OUTPUTS, help="As kubectl writes the objects, for programs.")
@cluster_options(many=True)
def list_(
    policy: str | None,
    *,
    mine: bool,
    only_open: bool,
    everything: bool,
    output: str | None,
    all_namespaces: bool,
    access: ClusterAccess,
) -> None:
    """List requests: the open ones first, then the last that ended.

    POLICY shows only requests for that policy. With -o, all that were asked for are written, finished ones too unless --open is
    given.
    """
    try:
        fields = [f"spec.policyName={object_name(policy)}"] if policy else []
        if mine:
            fields.append(f"spec.requester={_escaped(access.kubectl.who_am_i())}")
        if only_open:
            fields += [f"status.phase!={phase}" for phase in FINAL_PHASES]
        selector = [f"--field-selector={','.join(fields)}"] if fields else []
        where = ["--all-namespaces"] if all_namespaces else access.within()
        if output:
            click.echo(access.kubectl.run(["get", REQUESTS, *where, *selector, f"--output={output}"]), nl=False)
            return
        body = access.kubectl.read(["get", REQUESTS, *where, *selector])
    except KubectlFailed as error:
        raise failed(error) from None
    waiting, over = in_order(read_request(item) for item in parts(body, "items"))
    shown = [*waiting, *(over if everything else over[:SHOWN])]
    if not shown:
        say("No requests. To ask for access: kubectl curfew request")
        return
    _print(shown, with_namespace=all_namespaces)
    if len(over) > SHOWN and not everything:
        say(f"{len(over) - SHOWN} more are over; --all shows them.")


def _print(requests: list[ShownRequest], *, with_namespace: bool) -> None:
    now = SystemClock().now()
    headings = ["NAME", "PHASE", "WHO", "POLICY", "WAITS FOR", "WHEN"]
    rows = [
        [one.name, one.phase or "-", one.requester, one.policy, waits_for(one) or _why(one), due(one, now)]
        for one in requests
    ]
    if with_namespace:
        headings = ["NAMESPACE", *headings]
        rows = [[one.namespace, *row] for one, row in zip(requests, rows, strict=True)]
    table(headings, rows)


def _why(request: ShownRequest) -> str:
    """Return why a request is over, in the one word that its status has."""
    return "-" if request.is_open or not request.end_reason else f"- ({request.end_reason})"


def _escaped(value: str) -> str:
    r"""Return a value for a field selector, in which a comma, an equals sign and a backslash are special."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
