"""Sessions whose changes are refused or only tried, and those that look so and are not."""

from typing import Final
from unittest.mock import ANY

from tests.integration.monitor.script import Answer, Script
from tests.integration.monitor.scripted_setting import CREATES, POD, SETTINGS
from tests.integration.monitor.steps import admin, calls, is_gone, is_late, is_there, refused, types

WET: Final = {"kind": "DeleteOptions", "apiVersion": "v1"}

WITHOUT_EFFECT: Final = (
    Script(
        "a change that RBAC refuses",
        role="view",
        before=(SETTINGS,),
        steps=(refused("delete configmap settings", "forbidden"), is_there("configmap settings")),
        answer=Answer("No", "one call refused", denied=1, sources=()),
        log={"call.refused": 1},
    ),
    Script(
        "a change that admission refuses",
        before=(admin("label namespace {ns} pod-security.kubernetes.io/enforce=restricted"),),
        steps=(refused(POD, "violates PodSecurity"), is_gone("pod web")),
        answer=Answer("No", "one call refused", denied=1),
        log={"call.refused": 1},
    ),
    Script(
        "a change that fails",
        before=(admin(CREATES),),
        steps=(refused(CREATES, "already exists"),),
        answer=Answer("No", "one call failed"),
        log={"call.failed": 1},
    ),
    Script(
        "a dry run",
        steps=(types(f"{CREATES} --dry-run=server"), is_gone("configmap made")),
        answer=Answer("No", "one dry run"),
        log={"call.simulated": 1},
    ),
    Script(
        "a dry run of a deletion",
        before=(SETTINGS,),
        steps=(types("delete configmap settings --dry-run=server"), is_there("configmap settings")),
        answer=Answer("No", "one dry run"),
        log={"call.simulated": 1},
    ),
    Script(
        "a deletion whose body ignores the dryRun of its query",
        before=(SETTINGS,),
        steps=(calls("DELETE", "configmaps/settings?dryRun=All", body=WET, code=200), is_gone("configmap settings")),
        answer=Answer("Yes", "changed one object", writes=1, changed=("configmaps/settings",)),
        log={"call.deleted": 1},
    ),
    Script(
        "a change whose answer is that it came too late",
        steps=(is_late,),
        answer=Answer("Unknown", "may have changed something", reasons=("may have changed something",)),
        log={"call.unsettled": ANY},
    ),
)
