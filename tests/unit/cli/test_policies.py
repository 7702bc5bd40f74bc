"""The admission policies as files of the API server."""

from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from curfew.cli.policies import policies
from curfew.core.static_policies import SUFFIX, NotFit, static_manifests

API = "admissionregistration.k8s.io/v1"


def policy(name: str = "curfew-a", **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "labels": {"x": "y"}, "uid": "1"}
    return {"apiVersion": API, "kind": "ValidatingAdmissionPolicy", "metadata": meta, "spec": spec, "status": {}}


def binding(name: str = "curfew-a", **spec: Any) -> dict[str, Any]:
    whole = {"policyName": name, "validationActions": ["Deny", "Audit"], **spec}
    return {"apiVersion": API, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": whole}


def test_only_the_names_differ() -> None:
    """What is not ours, and what needs parameters and guards nothing, is left out."""
    early = "curfew-decision-reason"
    others = [policy("someone-elses"), policy(early, paramKind={}), binding(early, paramRef={})]

    written = static_manifests([binding(), policy(failurePolicy="Fail"), *others])

    assert written == [
        {
            "apiVersion": API,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": f"curfew-a{SUFFIX}"},
            "spec": {"failurePolicy": "Fail"},
        },
        {
            "apiVersion": API,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": f"curfew-a{SUFFIX}"},
            "spec": {"policyName": f"curfew-a{SUFFIX}", "validationActions": ["Deny", "Audit"]},
        },
    ]


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ([], "there is no admission policy of Curfew"),
        ([policy()], "a policy or its binding is missing: curfew-a"),
        ([policy(), binding(), binding("curfew-b")], "a policy or its binding is missing: curfew-b"),
        ([policy(), binding(validationActions=["Audit"])], "curfew-a does not deny: somebody changed its binding"),
        ([policy(paramKind={}), binding()], "curfew-a has parameters"),
    ],
)
def test_what_would_guard_nothing_is_refused(found: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(NotFit, match=complaint):
        static_manifests(found)


def test_the_manifests_of_the_chart_are_read() -> None:
    given = yaml.safe_dump_all([policy(), binding(), {"kind": "Deployment"}])

    done = CliRunner().invoke(policies, ["--static", "--filename", "-"], input=given)

    assert done.exit_code == 0
    assert [one["kind"] for one in yaml.safe_load_all(done.stdout)] == [policy()["kind"], binding()["kind"]]


@pytest.mark.parametrize(("given", "complaint"), [("a: [", "is not YAML"), ("", "there is no admission policy")])
def test_what_is_no_manifest_is_one_sentence(given: str, complaint: str) -> None:
    done = CliRunner().invoke(policies, ["--static", "--filename", "-"], input=given)

    assert done.exit_code == 1
    assert complaint in done.stderr
