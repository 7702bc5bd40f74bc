"""What a call did, by its verb and the answer to it."""

import pytest

from curfew.core.activity.call import CallStage
from curfew.core.activity.classify import effect, sensitive
from curfew.core.activity.effect import Effect, Sensitive
from tests.support.activity import a_call, refused

RBAC = "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("get", "pods/web-0"),
        ("list", "secrets/"),
        ("watch", "pods/"),
        ("get", "pods/web-0 (log)"),
        ("create", "selfsubjectaccessreviews.authorization.k8s.io/"),
        ("create", "selfsubjectreviews.authentication.k8s.io/"),
        ("create", "localsubjectaccessreviews.authorization.k8s.io/"),
    ],
)
def test_what_only_looks_or_asks_reads(verb: str, what: str) -> None:
    assert effect(a_call(verb, what)) is Effect.READ
    assert effect(a_call(verb, what, code=404)) is Effect.FAILED
    assert effect(refused(verb, what)) is Effect.DENIED


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete", "deletecollection", "a verb of tomorrow"])
def test_what_writes_changes_if_it_was_answered_with_success(verb: str) -> None:
    def of(**changes: object) -> Effect:
        return effect(a_call(verb, "configmaps/settings", **changes))

    assert of(code=200) is of(code=None) is Effect.CHANGED
    assert of(dry_run=True) is Effect.DRY_RUN
    assert of(dry_run=None) is Effect.UNSURE
    assert of(code=403, decision="forbid") is of(code=401, decision=None) is Effect.DENIED


@pytest.mark.parametrize("verb", ["create", "patch", "delete", "deletecollection"])
@pytest.mark.parametrize("code", [500, 503, 504])
def test_a_change_may_have_happened_before_a_timeout(verb: str, code: int) -> None:
    assert effect(a_call(verb, "configmaps/settings", code=code)) is Effect.UNSURE
    assert effect(a_call(verb, "configmaps/settings", stage=CallStage.PANIC, code=None)) is Effect.UNSURE
    assert effect(a_call(verb, "configmaps/settings", code=code, dry_run=True)) is Effect.FAILED


@pytest.mark.parametrize("code", [400, 404, 409, 422])
def test_an_error_of_the_caller_changes_nothing(code: int) -> None:
    assert effect(a_call("patch", "configmaps/settings", code=code)) is Effect.FAILED
    assert effect(a_call("get", "configmaps/settings", code=500)) is Effect.FAILED


@pytest.mark.parametrize("code", [403, 404, 422, 500])
def test_deleting_a_collection_may_have_deleted_some_before_it_failed(code: int) -> None:
    assert effect(a_call("deletecollection", "configmaps/", code=code)) is Effect.UNSURE
    assert effect(refused("deletecollection", "configmaps/")) is Effect.DENIED


@pytest.mark.parametrize("verb", ["get", "create"])
@pytest.mark.parametrize(
    ("subresource", "kind"),
    [("exec", Sensitive.EXEC), ("attach", Sensitive.ATTACH), ("portforward", Sensitive.PORT_FORWARD)],
)
def test_a_connection_that_was_made_is_opaque_whatever_its_verb(verb: str, subresource: str, kind: Sensitive) -> None:
    what = f"pods/web-0 ({subresource})"

    assert effect(a_call(verb, what, code=101)) is effect(a_call(verb, what, code=200)) is Effect.OPAQUE
    assert effect(a_call(verb, what, code=101, dry_run=True)) is Effect.OPAQUE
    assert effect(a_call(verb, what, stage=CallStage.PANIC, code=None)) is Effect.OPAQUE
    assert effect(a_call(verb, what, code=404)) is effect(a_call(verb, what, code=500)) is Effect.FAILED
    assert effect(refused(verb, what)) is effect(a_call(verb, what, code=403)) is Effect.DENIED
    assert sensitive(a_call(verb, what)) is kind


@pytest.mark.parametrize("what", ["pods/web-0 (proxy)", "services/web (proxy)", "nodes/node-1 (proxy)"])
@pytest.mark.parametrize("code", [200, 403, 404, 500])
def test_an_error_behind_a_proxy_may_come_from_what_was_called(what: str, code: int) -> None:
    assert effect(a_call("get", what, code=code)) is Effect.OPAQUE
    assert effect(refused("get", what)) is Effect.DENIED
    assert sensitive(a_call("get", what)) is Sensitive.PROXY


def test_any_call_that_becomes_a_connection_is_opaque() -> None:
    console = a_call("get", "virtualmachineinstances.subresources.kubevirt.io/vm (console)", code=101)

    assert (effect(console), sensitive(console)) == (Effect.OPAQUE, Sensitive.CONNECTION)
    assert effect(a_call("watch", "pods/", code=101)) is Effect.READ  # a watch over a WebSocket
    assert effect(a_call("get", "pods/web-0 (log)", code=101)) is Effect.READ


def test_other_urls_are_read_by_get_and_head_only() -> None:
    assert effect(a_call("get", "", uri="/version")) is Effect.READ
    assert effect(a_call("post", "", uri="/reload")) is Effect.CHANGED


@pytest.mark.parametrize(
    ("verb", "what", "kind"),
    [
        ("get", "secrets/db", Sensitive.SECRETS),
        ("list", "secrets/", Sensitive.SECRETS),
        ("create", "secrets/db", Sensitive.SECRETS),
        ("create", "serviceaccounts/deployer (token)", Sensitive.TOKEN_REQUEST),
        ("create", f"rolebindings.{RBAC}/mine", Sensitive.RBAC),
        ("patch", f"roles.{RBAC}/mine", Sensitive.RBAC),
        ("delete", f"clusterrolebindings.{RBAC}/mine", Sensitive.RBAC),
        ("create", "validatingwebhookconfigurations.admissionregistration.k8s.io/mine", Sensitive.ADMISSION),
        ("patch", "validatingadmissionpolicybindings.admissionregistration.k8s.io/mine", Sensitive.ADMISSION),
        ("patch", "pods/web-0 (ephemeralcontainers)", Sensitive.EPHEMERAL_CONTAINERS),
        ("get", "pods/web-0 (ephemeralcontainers)", None),
        ("get", f"rolebindings.{RBAC}/mine", None),
        ("get", "validatingwebhookconfigurations.admissionregistration.k8s.io/mine", None),
        ("get", "pods/web-0", None),
        ("patch", "deployments.apps/web (scale)", None),
        ("delete", "pods/web-0", None),
        ("get", "secrets.elsewhere.io/db", None),
    ],
)
def test_sensitive_access_has_one_word(verb: str, what: str, kind: Sensitive | None) -> None:
    assert sensitive(a_call(verb, what)) is kind
