"""What `curfew audit advise` prints: a smaller role that refuses nothing that was used, and what is known of the rest."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from curfew.cli import main
from curfew.core.activity.effect import How
from curfew.core.activity.recorded import RecordedCall
from curfew.core.activity.rules import allows
from curfew.core.activity.usage import Needed
from tests.support.logs import ALog, alter, opened
from tests.support.quarter import RULES, Timed, a_quarter, company
from tests.support.quarter_activity import WatchedQuarter, watched
from tests.support.scale import times
from tests.support.watching import Watch, a_call, records_of, refused, sealed, the_session
from tests.unit.evidence.telling import NOON


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a cache folder that is nobody's: the quarter is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def advise(folder: Path, policy: str, *arguments: object) -> Result:
    """Run `curfew audit advise`."""
    return CliRunner().invoke(main, ["audit", "advise", str(folder), policy, *map(str, arguments)], prog_name="curfew")


def advised(result: Result) -> list[dict[str, Any]]:
    """Return the rules that were printed."""
    assert result.exit_code == 0, result.output
    manifest = yaml.safe_load(result.stdout)
    rules: list[dict[str, Any]] = manifest["rules"]
    return rules


def comments(result: Result) -> str:
    """Return the comments above the role, as one line."""
    return " ".join(line.removeprefix("#").strip() for line in result.stdout.splitlines() if line.startswith("#"))


# --- a quarter


@pytest.fixture(scope="module")
def quarter() -> WatchedQuarter:
    """Return a quarter of a company, with what was done with its grants."""
    return watched(a_quarter(times(4000), plant=False))


@pytest.fixture(scope="module")
def folder(quarter: WatchedQuarter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where it lies."""
    return quarter.log.lay(quarter.quarter.log.lay(tmp_path_factory.mktemp("logs")))


def allowed_calls(quarter: WatchedQuarter, policy: str) -> list[tuple[Needed, datetime]]:
    """Return what the bindings of a policy's sessions allowed and when, as the log of activity holds it, the earliest first."""
    found = []
    for record in records_of(quarter.log):
        call = RecordedCall.of(record)
        named = record.block.get("story", {}).get("policy", {}).get("name")
        if call is not None and call.how is How.BINDING and named == policy:
            one = Needed(call.verb, call.group, call.resource, call.subresource, call.name)
            found.append((replace(one, name=one.seen_name), record.at))
    return sorted(found, key=lambda one: one[1])


def test_of_a_generated_quarter_it_gives_a_role_that_refuses_nothing_that_was_used(
    folder: Path, quarter: WatchedQuarter
) -> None:
    used = [one for one, _ in allowed_calls(quarter, "debug")]

    result = advise(folder, "debug")

    rules = advised(result)
    assert len(used) > 20
    assert [str(one) for one in used if not allows(rules, one.call)] == []
    assert "It would have refused no past call in the whole log that the granted role allowed." in comments(result)


def test_the_role_is_smaller_than_the_granted_one(folder: Path) -> None:
    result = advise(folder, "debug")

    rules = advised(result)
    assert all("*" not in rule[part] for rule in rules for part in ("apiGroups", "resources", "verbs"))
    assert not allows(rules, Needed("list", "", "services").call)
    assert not allows(rules, Needed("get", "", "secrets", "", "queue").call)
    assert allows(RULES, Needed("get", "", "secrets", "", "queue").call)
    assert {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["db"]} in rules
    assert " list services" in comments(result).partition("Not used:")[2]


def test_it_names_what_was_refused_and_where_calls_may_be_missing(folder: Path) -> None:
    told = comments(advise(folder, "debug"))

    assert "Past calls that were refused, and that it would have refused too:" in told
    assert " x get secrets root, last 2026-" in told
    assert "the feed of audit events is not known to have been whole: calls may be missing here." in told


def test_what_was_used_only_before_the_period_is_named(folder: Path, quarter: WatchedQuarter) -> None:
    last_use = dict(allowed_calls(quarter, "debug"))
    before = min(last_use, key=lambda one: last_use[one])
    begin = last_use[before] + timedelta(milliseconds=1)

    part = advise(folder, "debug", "--period", f"{begin:%Y-%m-%dT%H:%M:%S.%fZ}..")

    told, rules = comments(part), advised(part)
    assert [one for one in last_use if not allows(rules, one.call)] == [before]
    assert "Past calls in the whole log that the granted role allowed and this one would have refused:" in told
    assert f" x {before}, last {last_use[before]:%Y-%m-%d %H:%M}" in told


# --- one grant


def one_grant(tmp_path: Path, *calls: tuple[str, str, str], is_refused: bool = False) -> tuple[Path, ALog]:
    """Return both logs of one grant that was used for these calls: verb, resource, name."""
    log = ALog()
    granted: list[Timed] = list(company(3).granted(NOON))
    log.append([opened(log.signer), *(record for _, record in granted)], NOON + timedelta(hours=10))
    watch = Watch(records_of(log))
    session = the_session(watch)
    begin = session.granted_at
    assert begin is not None
    for seconds, (verb, resource, name) in enumerate(calls, 1):
        call = a_call(session, verb, resource, begin + timedelta(seconds=seconds), name=name)
        watch.see(refused(call) if is_refused else call)
    activity = sealed(watch)
    return activity.lay(log.lay(tmp_path / "copy")), activity


def policy_of(folder: Path) -> str:
    """Return the policy of the one grant."""
    found = CliRunner().invoke(main, ["audit", "search", str(folder), "--event", "grant.activated", "-o", "jsonl"])
    name: str = yaml.safe_load(found.stdout)["record"]["unmapped"]["curfew"]["story"]["policy"]["name"]
    return name


def test_the_role_is_written_as_a_manifest_that_can_be_applied(tmp_path: Path) -> None:
    folder, _ = one_grant(tmp_path, ("list", "pods", ""), ("get", "pods/log", "web-1"))
    policy = policy_of(folder)

    result = advise(folder, policy)

    assert yaml.safe_load(result.stdout) == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{policy}-advised"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
        ],
    }
    assert "2 calls allowed by it in 1 session." in comments(result)
    assert "Used: 2 of 24 granted permissions (8.333 %); a permission is one verb on one resource." in comments(result)


def test_a_role_that_nobody_used_is_a_role_without_rules(tmp_path: Path) -> None:
    folder, _ = one_grant(tmp_path)

    result = advise(folder, policy_of(folder))

    assert advised(result) == []
    assert "0 calls allowed by it in 1 session." in comments(result)


def test_a_refused_call_is_no_reason_to_grant_anything(tmp_path: Path) -> None:
    folder, _ = one_grant(tmp_path, ("delete", "nodes", "n1"), is_refused=True)

    result = advise(folder, policy_of(folder))

    assert advised(result) == []
    assert "1 x delete nodes n1, last " in comments(result)


# --- what is refused


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["nobody"], 2, "The log has no grant by policy nobody."),
        (["debug", "--period", "2020"], 2, "The log has no grant by policy debug in 2020."),
        (["de*"], 2, "de* is a pattern; give the name of one AccessPolicy."),
        (["debug", "--activity-log", "other"], 3, "There is no log other at "),
    ],
)
def test_a_question_that_has_no_answer_is_told_why(folder: Path, arguments: list[str], code: int, why: str) -> None:
    result = CliRunner().invoke(main, ["audit", "advise", str(folder), *arguments], prog_name="curfew")

    assert result.exit_code == code
    assert why in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_nothing_is_advised_from_a_log_that_does_not_verify(tmp_path: Path) -> None:
    folder, activity = one_grant(tmp_path, ("list", "pods", ""))
    policy = policy_of(folder)
    alter(activity, 1)
    activity.lay(folder)

    result = advise(folder, policy, "--no-index")

    assert result.exit_code == 1
    assert result.stdout == ""
