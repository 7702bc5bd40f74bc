"""Sessions in which it matters who acts, and by which right."""

from typing import Final
from unittest.mock import ANY

from tests.integration.monitor.elsewhere import ALICE, NAMESPACE, another_cluster_sends
from tests.integration.monitor.script import Answer, Script
from tests.integration.monitor.scripted_setting import CREATES, DEPLOYER, DEPLOYER_MAY_EDIT, RBAC, SETTINGS
from tests.integration.monitor.steps import admin, mints_token, refused, types

FOR_CONFIGMAPS: Final = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "standing-{ns}"},
    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]}],
}


TWO_GRANTS: Final = Script(
    "two grants at once",
    more_roles=("view",),
    steps=(types("get pods"), types("get pods"), types("get pods"), types("get pods"), types(CREATES)),
    answer=Answer("Yes", "changed one object", reads=ANY, writes=1, standing=ANY, changed=("configmaps/made",)),
    log={"call.read": 4, "call.created": 1},
)

PEOPLE: Final = (
    Script(
        "a change by standing access meanwhile",
        before=(
            admin("create -f -", stdin=FOR_CONFIGMAPS),
            admin("create clusterrolebinding standing-{ns} --clusterrole=standing-{ns} --user={user}"),
        ),
        steps=(types("get pods"), types(CREATES)),
        answer=Answer("No", "one call that other access allowed (one change)", reads=1, standing=1),
        log={"call.read": 1, "call.created": 1},
    ),
    Script(
        "acting as a service account, as the access allows",
        before=(DEPLOYER, DEPLOYER_MAY_EDIT),
        steps=(
            types("get configmaps --as=system:serviceaccount:{ns}:deployer"),
            types(f"{CREATES} --as=system:serviceaccount:{{ns}}:deployer"),
        ),
        answer=Answer(
            "Yes", "changed one object", reads=1, writes=1, changed=("configmaps/made",), sensitive=("Impersonation",)
        ),
        log={"call.read": 1, "call.created": 1},
    ),
    Script(
        "acting as another person, refused",
        steps=(refused("get pods --as=bob@example.com", "forbidden"),),
        answer=Answer("No", "one call refused", denied=1, sources=()),
        log={"call.refused": 1},
    ),
    Script(
        "a user name with quotes",
        user="""Zoe \\ 'O"Brien'""",
        steps=(types("get pods"), types(CREATES)),
        answer=Answer("Yes", "changed one object", reads=1, writes=1, changed=("configmaps/made",)),
        log={"call.read": 1, "call.created": 1},
    ),
    Script(
        "a user name that is made to look like a reason",
        user='x" of ClusterRole "admin',
        role="view",
        before=(SETTINGS,),
        steps=(types("get configmap settings"), refused("delete configmap settings", "forbidden")),
        answer=Answer("No", "read one object, one call refused", reads=1, denied=1),
        log={"call.read": 1, "call.refused": 1},
    ),
    Script(
        "a binding that an administrator gives an old grant's name, with another role",
        steps=(types("get pods"),),
        after=(
            admin("create rolebinding curfew-{uid} --clusterrole=admin --user={user}"),
            types(CREATES),
        ),
        answer=Answer("No", "read one list", reads=1),
        log={"call.read": 1, "alert.binding_name_reused": 1},
    ),
    Script(
        "a binding that an administrator gives an old grant's name, for somebody else",
        before=(DEPLOYER,),
        steps=(types("get pods"),),
        after=(
            admin("create rolebinding curfew-{uid} --clusterrole=edit --serviceaccount={ns}:deployer"),
            mints_token("deployer", by="admin"),
            types(CREATES, by="token"),
        ),
        answer=Answer("No", "read one list", reads=1),
        log={"call.read": 1, "alert.binding_name_reused": 1},
    ),
    TWO_GRANTS,
    Script(
        "another cluster, where people and namespaces have the same names, sends its events",
        user=ALICE,
        namespace=NAMESPACE,
        steps=(types("get pods"), another_cluster_sends),
        answer=Answer("No", "read one list", reads=1, standing=ANY, denied=ANY),
        log=ANY,
    ),
)
