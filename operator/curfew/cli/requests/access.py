"""The cluster as the caller reaches it: the options of kubectl that are passed on, and what is read through it."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from curfew.api.names import OBJECT_NAME
from curfew.audit.wording import printable
from curfew.cli.kubectl import Kubectl, KubectlFailed, KubectlRefused
from curfew.core.guidance.next_steps import why_refused
from curfew.core.guidance.objects import ShownPolicy, ShownRequest, ShownRole, parts, read_policy, read_request

REQUESTS: Final = "accessrequests.curfew.dev"
POLICIES: Final = "accesspolicies.curfew.dev"
"""What kubectl is asked for: a short name could belong to somebody else's kind."""

RBAC: Final = "rbac.authorization.k8s.io"

_PASSED: Final = (
    ("--context", "NAME", "The context of the kubeconfig."),
    ("--kubeconfig", "FILE", "The kubeconfig."),
    ("--cluster", "NAME", "The cluster of the kubeconfig."),
    ("--user", "NAME", "The user of the kubeconfig."),
    ("--as", "PERSON", "Act as somebody else, if you have the right to impersonate."),
    ("--as-uid", "UID", "The UID to act as."),
    ("--request-timeout", "TIME", "How long one call may take, such as 10s."),
)
"""Options that kubectl gets as they are."""


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The caller's kubectl, and the namespace that they named; an empty one leaves the choice to kubectl."""

    kubectl: Kubectl
    namespace: str = ""

    def within(self, namespace: str = "") -> list[str]:
        """Return the options for a namespace, by default the one that was named."""
        named = namespace or self.namespace
        return [f"--namespace={named}"] if named else []

    def request(self, name: str) -> ShownRequest:
        """Read a request. Raise `KubectlFailed`, or `click.UsageError` for a name that no request can have."""
        body = self.kubectl.read(["get", REQUESTS, object_name(name), *self.within()])
        found = read_request(body)
        if not found.uid:
            raise KubectlFailed("kubectl did not answer with an AccessRequest; check that KUBECTL_PATH names kubectl")
        return found

    def policy(self, name: str, namespace: str = "") -> ShownPolicy | None:
        """Read a policy, or return None if it is not there or may not be read."""
        try:
            return read_policy(self.kubectl.read(["get", POLICIES, object_name(name), *self.within(namespace)]))
        except KubectlRefused:
            return None

    def rules(self, role: ShownRole, namespace: str) -> tuple[str, tuple[Mapping[str, Any], ...]] | None:
        """Return the UID and the rules of a role, or None if it is not there or may not be read."""
        if not role.name or role.name.startswith("-"):
            return None
        place = [f"clusterroles.{RBAC}"] if role.kind == "ClusterRole" else [f"roles.{RBAC}", *self.within(namespace)]
        try:
            body = self.kubectl.read(["get", *place, role.name])
        except KubectlRefused:
            return None
        meta = body.get("metadata") if isinstance(body, Mapping) else None
        return str(meta.get("uid", "")) if isinstance(meta, Mapping) else "", parts(body, "rules")

    def may(self, questions: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Return the API server's answers to SelfSubjectAccessReviews, asked in one call. Raise `KubectlFailed`."""
        asked = {"apiVersion": "v1", "kind": "List", "items": list(questions)}
        told = self.kubectl.read_all(["create", "--filename=-", "--validate=false"], stdin=json.dumps(asked))
        answers = [item for one in told for item in (parts(one, "items") or (one,))]
        if len(answers) != len(questions):
            raise KubectlFailed("the API server did not answer what you may do; check it with kubectl auth can-i")
        return [isinstance(one.get("status"), Mapping) and one["status"].get("allowed") is True for one in answers]


def object_name(text: str) -> str:
    """Return the name in `NAME` or `KIND/NAME`. Raise `click.UsageError` if no object can have it."""
    name = text.rpartition("/")[2]
    if not OBJECT_NAME.fullmatch(name):
        raise click.UsageError(
            f"{printable(text)[:300]} is not the name of an object; kubectl curfew list shows the names"
        )
    return name


def cluster_options(
    *, many: bool = False, home: str = "Default: that of the context."
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of kubectl, and hand it a `ClusterAccess` as `access`.

    `many` adds --all-namespaces; `home` is what the help says of --namespace.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_access(*args: Any, namespace: str, as_group: Sequence[str], **kwargs: Any) -> Any:
            given = [f"{option}={value}" for option, _, _ in _PASSED if (value := kwargs.pop(_variable(option)))]
            passed = (*given, *(f"--as-group={group}" for group in as_group))
            return command(*args, access=ClusterAccess(Kubectl(more=passed), namespace), **kwargs)

        made: Callable[..., Any] = with_access
        if many:
            made = click.option("-A", "--all-namespaces", is_flag=True, help="In all namespaces.")(made)
        made = click.option("--as-group", metavar="GROUP", multiple=True, help="A group to act as; may be repeated.")(
            made
        )
        for option, metavar, text in reversed(_PASSED):
            made = click.option(option, _variable(option), default="", metavar=metavar, help=text)(made)
        return click.option(
            "-n",
            "--namespace",
            "--in",
            "namespace",
            default="",
            metavar="NAMESPACE",
            help=home,
        )(made)

    return add


def _variable(option: str) -> str:
    return f"passed_{option.strip('-').replace('-', '_')}"


def failed(error: KubectlFailed, more: Iterable[str] = ()) -> click.ClickException:
    """Return an error of kubectl as people read it, with what else is known."""
    told = why_refused(error.complaint) if isinstance(error, KubectlRefused) else str(error)
    return click.ClickException("\n".join(printable(line) for line in (told, *more)))
