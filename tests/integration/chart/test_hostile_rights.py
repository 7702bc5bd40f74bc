"""Values that look safe give nobody a right that is not documented: refused, or the rendered RBAC is what it always is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.chart.helm import rendered, template
from tests.integration.installed import SYSTEM

RBAC: Final = ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")
KNOWN: Final = {"roles": ["payments-debug"], "namespaces": [{"name": "payments", "roles": ["support"]}]}
EVERYTHING: Final[Mapping[str, Any]] = {
    **KNOWN,
    "optIn": {"enabled": True},
    "monitor": {"enabled": True, "deletePods": ["payments"]},
    "uninstall": {"endGrants": "true"},
}
INJECTED: Final = 'x"]\n- apiGroups: ["*"]\n  resources: ["*"]\n  verbs: ["*"]\n#'

REFUSED: Final[Mapping[str, Mapping[str, Any]]] = {
    "/roles/0": {"roles": ["*"]},
    "/roles/1": {"roles": ["a", INJECTED]},
    "/roles/2": {"roles": ["a", "b", ""]},
    "/roles/3": {"roles": ["a", "b", "c", 7]},
    "/roles/4": {"roles": ["a", "b", "c", "d", ["cluster-admin"]]},
    "/roles/5": {"roles": ["a", "b", "c", "d", "e", "{{ .Values }}"]},
    "/roles/6": {"roles": ["a", "b", "c", "d", "e", "f", "cluster-\u0430dmin"]},
    "/roles/7": {"roles": ["a", "b", "c", "d", "e", "f", "g", "a b"]},
    "/namespaces/0/name": {"namespaces": [{"name": "*"}]},
    "/namespaces/1/name": {"namespaces": [{"name": "a"}, {"name": INJECTED}]},
    "/namespaces/2/name": {"namespaces": [{"name": "a"}, {"name": "b"}, {"name": "kube-system/x"}]},
    "/namespaces/3/roles/0": {
        "namespaces": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d", "roles": ["*"]}]
    },
    "/namespaces/4'": {
        "namespaces": [*({"name": name} for name in "abcd"), {"name": "e", "rules": [{"verbs": ["*"]}]}]
    },
    "/optIn/label": {"optIn": {"label": "x'] == '' || true || '"}},
    "/optIn/value": {"optIn": {"value": "' || true || '"}},
    "/serviceAccount/name": {"serviceAccount": {"name": "curfew, namespace: kube-system}"}},
    "/serviceAccount'": {"serviceAccount": {"namespace": "kube-system"}},
    "/sweeper/serviceAccount/name": {"sweeper": {"serviceAccount": {"name": "system:masters"}}},
    "/monitor/deletePods/0": {"monitor": {"deletePods": ["*"]}},
    "/monitor/serviceAccount/name": {"monitor": {"serviceAccount": {"name": "Group"}}},
    "''": {"clusterRole": "cluster-admin", "rbac": {"create": True}},
}
"""By the path that the refusal names."""

NOT_A_LIST: Final = {"/roles'": {"roles": "cluster-admin"}, "/namespaces'": {"namespaces": "kube-system"}}

RENDERED: Final[Mapping[str, Mapping[str, Any]]] = {
    "a role that is known to be strong": {"roles": ["cluster-admin", "system:aggregate-to-admin"]},
    "names that YAML takes for something else": {"roles": ["null", "true", "0x10", "1e3", "yes"]},
    "labels and annotations": {
        "commonLabels": {"aggregate-to-admin": "true"},
        "serviceAccount": {"annotations": {"x": "}\nrules: [{verbs: ['*']}]"}},
        "podAnnotations": {"y": "{{ .Values }}\n---\nkind: ClusterRoleBinding"},
        "hooks": {"jobAnnotations": {"z": "'\n---\nkind: ClusterRole"}},
    },
    "what no template reads": {"global": {"roles": ["cluster-admin"], "clusterRole": "cluster-admin"}},
    "texts of a container": {
        "extraEnv": [{"name": "X", "value": "]\n---\nkind: ClusterRoleBinding"}],
        "extraVolumes": [{"name": "x", "configMap": {"name": "a}\n---\nkind: ClusterRole"}}],
        "nodeSelector": {"x": "}\n---\nkind: ClusterRole"},
        "tolerations": [{"key": "{{ .Release }}", "value": "---\nkind: ClusterRole"}],
    },
}


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others laid over them, as Helm does; of two lists, each place of the second that the first lacks."""
    both = dict(values)
    for key, value in more.items():
        there = both.get(key)
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            both[key] = merged(there, value)
        elif isinstance(there, list) and isinstance(value, list):
            both[key] = [*there, *value[len(there) :]]
        else:
            both[key] = value
    return both


def rights(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is given to whom: the rules of each role, and role and subjects of each binding."""
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": {
            key: one.get(key) for key in ("rules", "roleRef", "subjects", "aggregationRule")
        }
        for one in manifests
        if one["kind"] in RBAC
    }


def render(values: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    (folder / "values.json").write_text(json.dumps(values))
    return rendered("--values", str(folder / "values.json"))


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the rights of docs/rights.md, with everything that can be switched on."""
    return rights(render(EVERYTHING, tmp_path_factory.mktemp("documented")))


def test_what_would_be_more_than_a_name_is_refused(tmp_path: Path) -> None:
    """Each by its path, in one answer."""
    values: dict[str, Any] = {}
    for more in REFUSED.values():
        values = merged(values, more)
    for case in (values, {key: value for more in NOT_A_LIST.values() for key, value in more.items()}):
        (tmp_path / "values.json").write_text(json.dumps(case))
        done = template("--values", str(tmp_path / "values.json"))

        assert done.returncode != 0
        for path in REFUSED if case is values else NOT_A_LIST:
            assert f"at '{path}" in done.stderr or f"at {path}" in done.stderr, (path, done.stderr)


@pytest.mark.parametrize("case", RENDERED)
def test_what_renders_gives_no_right_that_is_not_documented(
    documented: dict[str, Any], case: str, tmp_path: Path
) -> None:
    """Only the names of the roles that may be granted are those of the values."""
    values = {**merged(EVERYTHING, RENDERED[case])}
    roles = RENDERED[case].get("roles", KNOWN["roles"])
    values["roles"] = roles

    found = rights(render(values, tmp_path))

    granter = "ClusterRole /curfew-granter"
    bind = [rule for rule in found[granter]["rules"] if rule["verbs"] == ["bind"]]
    assert [rule["resourceNames"] for rule in bind] == [roles]
    for rule in bind:
        rule["resourceNames"] = KNOWN["roles"]
    assert found == documented


def test_nobody_but_our_own_accounts_gets_anything(documented: dict[str, Any]) -> None:
    """And no binding gives a role that is not the chart's."""
    for name, right in documented.items():
        assert not right["aggregationRule"], name
        for rule in right["rules"] or ():
            assert "*" not in [*rule["verbs"], *rule.get("resources", ()), *rule.get("apiGroups", ())], name
            assert not {"escalate", "impersonate"} & set(rule["verbs"]), name
            if "bind" in rule["verbs"]:
                assert rule["resourceNames"], name
        for subject in right["subjects"] or ():
            assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", SYSTEM), name
        if right["roleRef"]:
            assert right["roleRef"]["name"].startswith("curfew"), name
