"""The manifests of examples/, applied in the order of the README by the people who are meant to."""

from collections.abc import Iterator

import pytest

from tests.integration.chart.helm import one, rendered
from tests.integration.installed import CHART, Done, Installed
from tools.servers.pki import PEOPLE

EXAMPLES = CHART.parents[1] / "examples"
NAMESPACE = "payments"


@pytest.fixture(scope="module")
def payments(cluster: Installed) -> Iterator[Installed]:
    """Return the cluster with the namespace, the roles and the policy of the examples."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.opt_in(NAMESPACE)
    for name in ("role.yaml", "policy.yaml"):
        cluster.kubectl("apply", "--filename", str(EXAMPLES / name))
    cluster.await_right(PEOPLE["alice"], "create", "accessrequests.curfew.dev", namespace=NAMESPACE)
    cluster.await_right(PEOPLE["carol"], "revoke", "accesspolicies.curfew.dev/debug", namespace=NAMESPACE)
    yield cluster
    # The name is the README's, so the next who needs it must not find it going away.
    cluster.kubectl("delete", "namespace", NAMESPACE)
    cluster.kubectl("delete", "--filename", str(EXAMPLES / "role.yaml"), "--ignore-not-found")


def ask(payments: Installed, user: str) -> Done:
    """Have somebody apply the request."""
    return payments.kubectl("apply", "--filename", str(EXAMPLES / "request.yaml"), user=user, check=False)


@pytest.mark.stamping
def test_alice_asks_and_asking_again_changes_nothing(payments: Installed) -> None:
    """Her request has her name, though the file does not."""
    if not payments.stamps_identity:
        pytest.skip("this API server does not serve MutatingAdmissionPolicy v1")

    assert "created" in ask(payments, "alice").stdout
    assert "unchanged" in ask(payments, "alice").stdout
    shown = payments.kubectl("get", "areq", "inc-4711", "--namespace", NAMESPACE, user="alice").stdout
    assert "alice@example.com" in shown


def test_who_is_no_requester_cannot_ask(payments: Installed) -> None:
    """Carol approves; she does not ask."""
    create = ("create", "--filename", str(EXAMPLES / "request.yaml"))
    refused = payments.kubectl(*create, user="carol", check=False)

    assert refused.returncode != 0
    assert 'cannot create resource "accessrequests"' in refused.stderr


def test_the_example_values_are_good() -> None:
    """They let Curfew grant the example's role in the example's namespace."""
    manifests = rendered("--values", str(EXAMPLES / "values.yaml"))

    granter = one(manifests, "ClusterRole", "curfew-granter")
    assert granter["rules"][1]["resourceNames"] == ["payments-debug"]
    assert one(manifests, "RoleBinding", "curfew-granter")["metadata"]["namespace"] == NAMESPACE


@pytest.mark.parametrize(
    ("user", "question", "answer"),
    [
        ("alice", ("request", "accesspolicies/debug"), "yes"),
        ("alice", ("approve", "accesspolicies/debug", "--subresource=owners"), "no"),
        ("alice", ("get", "pods"), "no"),
        ("bob", ("request", "accesspolicies/debug"), "yes"),
        ("bob", ("approve", "accesspolicies/debug", "--subresource=owners"), "yes"),
        ("carol", ("request", "accesspolicies/debug"), "no"),
        ("carol", ("approve", "accesspolicies/debug", "--subresource=owners"), "yes"),
        ("carol", ("approve", "accesspolicies/debug", "--subresource=security"), "no"),
        ("carol", ("revoke", "accesspolicies/debug"), "yes"),
        ("dave", ("request", "accesspolicies/debug"), "no"),
        ("dave", ("get", "accessrequests"), "no"),
    ],
)
def test_who_may_do_what(payments: Installed, user: str, question: tuple[str, ...], answer: str) -> None:
    """`kubectl auth can-i` knows, for Curfew's own verbs as well."""
    said = payments.kubectl("auth", "can-i", *question, f"--namespace={NAMESPACE}", user=user, check=False)

    assert said.stdout.strip() == answer
