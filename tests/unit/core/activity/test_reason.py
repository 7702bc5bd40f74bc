"""The reason of RBAC is read as Kubernetes writes it, and no name in it can pretend to be more than a name."""

import json
from pathlib import Path
from typing import Any

import pytest

from curfew.core.activity.reason import RbacReason, parse

QUOTED_BY_GO = Path(__file__).parents[3] / "vectors" / "go_quoting" / "quoted.jsonl"

BOUND = "RBAC: allowed by RoleBinding"


def test_a_role_binding() -> None:
    found = parse('RBAC: allowed by RoleBinding "curfew-1/team-a" of Role "reader" to User "alice@example.com"')

    assert found == RbacReason("RoleBinding", "curfew-1", "team-a", "Role", "reader", "User", "alice@example.com")


def test_a_cluster_role_binding_has_no_namespace() -> None:
    found = parse('RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "d" to Group "system:masters"')

    assert found == RbacReason(
        "ClusterRoleBinding", "system:discovery", "", "ClusterRole", "d", "Group", "system:masters"
    )


def test_a_service_account_is_turned_round_to_namespace_and_name() -> None:
    found = parse('RBAC: allowed by RoleBinding "b/team-a" of ClusterRole "edit" to ServiceAccount "deployer/team-b"')

    assert found is not None
    assert (found.subject_kind, found.subject) == ("ServiceAccount", "team-b/deployer")


@pytest.mark.parametrize(
    "forged", ['x" of ClusterRole "admin', 'x" of ClusterRole "admin" to User "alice', '\\" of ', "\\"]
)
def test_a_name_with_quotes_stays_a_name(forged: str) -> None:
    quoted = forged.replace("\\", "\\\\").replace('"', '\\"')

    found = parse(f'{BOUND} "{quoted}/team-a" of ClusterRole "{quoted}" to User "{quoted}"')

    assert found == RbacReason("RoleBinding", forged, "team-a", "ClusterRole", forged, "User", forged)


def test_each_literal_that_go_writes_is_read_back() -> None:
    for line in QUOTED_BY_GO.read_bytes().splitlines():
        vector: dict[str, Any] = json.loads(line)
        found = parse(f'{BOUND} "b/n" of Role "r" to User {vector["quoted"]}')
        assert found is not None, vector
        assert found.subject == vector["text"], vector


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="none: the call was refused"),
        pytest.param("access granted by IAM permissions.", id="another authorizer"),
        pytest.param(
            'EKS Access Policy: allowed by RoleBinding "b/n" of Role "r" to User "u"',
            id="another one that writes like RBAC",
        ),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "u" and more', id="more behind it"),
        pytest.param(f'x {BOUND} "b/n" of Role "r" to User "u"', id="more before it"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "u"\n', id="a line end behind it"),
        pytest.param(f'{BOUND} "b" of Role "r" to User "u"', id="no namespace"),
        pytest.param(f'{BOUND} "b/c/n" of Role "r" to User "u"', id="no binding can have such a name"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to ServiceAccount "s"', id="an account without a namespace"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to Robot "u"', id="a kind of subject that is none"),
        pytest.param(f'{BOUND} "b/n" of Job "r" to User "u"', id="a kind of role that is none"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "u\\"', id="a literal without an end"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "a\nb"', id="a line end that Go would escape"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "\\q"', id="no escape of Go"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "\\x41"', id="a letter that Go would not escape"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "\\x4"', id="half an escape"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "\\ud83d"', id="half a character"),
        pytest.param(f'{BOUND} "b/n" of Role "r" to User "\\U00110000"', id="no character"),
        pytest.param(f"{BOUND} 'b/n' of Role 'r' to User 'u'", id="other quotes"),
    ],
)
def test_what_rbac_does_not_write_names_no_binding(text: str) -> None:
    assert parse(text) is None
