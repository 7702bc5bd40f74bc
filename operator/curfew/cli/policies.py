"""`curfew policies --static`: the admission policies as files for the API server."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

import click
import yaml

from curfew.cli.kubectl import Kubectl, KubectlFailed, kubectl_options
from curfew.core.static_policies import NotFit, static_manifests

KINDS = "validatingadmissionpolicies,validatingadmissionpolicybindings"
HEADER = """\
# Curfew's admission policies, as `curfew policies --static` wrote them. They belong into a folder of each API server, named by
# staticManifestsDir in its AdmissionConfiguration (Kubernetes 1.37). Write them again after each upgrade of Curfew.
"""


@click.command("policies")
@click.option("--static", "is_static", is_flag=True, required=True, help="As files for the API server's own folder.")
@click.option(
    "--filename",
    "-f",
    type=click.File(),
    help="Manifests of the chart (helm template), - for the standard input. Default: what is installed in the cluster.",
)
@kubectl_options
def policies(filename: IO[str] | None, context: str, kubeconfig: str, *, is_static: bool) -> None:
    """Print Curfew's admission policies in a form that no administrator of the cluster can take away.

    The API server reads them from files, so nobody can change or delete them through the API. This needs Kubernetes 1.37 and
    access to the machines of the control plane.

    \b
    curfew policies --static > curfew-policies.yaml
    helm template curfew charts/curfew -n curfew-system --values VALUES | curfew policies --static -f -

    \b
    Exit code 0: the policies are printed.
              1: there are none, or one is out of force.
    """  # noqa: D301  click's mark for lines that stay as they are
    try:
        found = _given(filename) if filename is not None else _installed(Kubectl(context, kubeconfig))
        manifests = static_manifests(found)
    except (KubectlFailed, NotFit) as error:
        raise click.ClickException(str(error)) from None
    click.echo(HEADER + yaml.safe_dump_all(manifests, sort_keys=False, width=120, allow_unicode=True), nl=False)


def _installed(kubectl: Kubectl) -> Iterable[Mapping[str, Any]]:
    answer = kubectl.read(["get", KINDS, "--selector=app.kubernetes.io/name=curfew"])
    items: list[Mapping[str, Any]] = answer.get("items", []) if isinstance(answer, Mapping) else []
    return items


def _given(file: IO[str]) -> Iterable[Mapping[str, Any]]:
    try:
        return [one for one in yaml.load_all(file, yaml.CSafeLoader) if isinstance(one, Mapping)]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file.name} is not YAML: {error}") from None
