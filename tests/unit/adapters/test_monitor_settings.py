"""The monitor's settings are read whole or refused with a sentence for each problem."""

from datetime import timedelta
from pathlib import Path

import pytest

from curfew.core.activity.formats.forms import Form
from curfew.core.activity.noticing.allowance import Allowance
from curfew.settings.loading import SettingsRefused
from curfew.settings.monitor import MonitorSettings, load_monitor_settings
from tests.support.trail import SIGNER

LEAST = """\
trail: {url: "file:///trail"}
audit: {url: "file:///activity", keyFile: signing.pem}
intake:
  webhook: {certFile: tls.crt, keyFile: tls.key, tokenFile: token}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("signing.pem", "tls.crt", "tls.key", "token", "lines-token", "ca.crt"):
        (tmp_path / name).write_text("something")
    return tmp_path


def load(folder: Path, text: str) -> MonitorSettings:
    (folder / "settings.yaml").write_text(text)
    return load_monitor_settings(folder / "settings.yaml")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsRefused) as caught:
        load(folder, text)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_little_has_to_be_said(folder: Path) -> None:
    settings = load(folder, LEAST)

    assert (settings.trail.log, settings.trail.verifier) == ("main", None)
    assert settings.audit.log == "main-activity"
    assert settings.intake.webhook is not None
    assert (settings.intake.webhook.port, settings.intake.webhook.token_file) == (8443, folder / "token")
    assert settings.intake.webhook.lines_token_file is None
    assert settings.intake.files == ()
    assert settings.coverage.namespace == "curfew-system"
    assert settings.coverage.every == timedelta(seconds=60)
    assert settings.coverage.servers == "Leases"


def test_everything_can_be_said(folder: Path) -> None:
    settings = load(
        folder,
        f"""\
trail: {{url: "s3://trail/prod", log: main, key: "{SIGNER.verifier}"}}
audit: {{url: "s3://trail/prod", log: used, keyFile: signing.pem, worm: advisory}}
limits: {{maxGrant: 8h}}
intake:
  webhook: {{host: "::", port: 0, certFile: tls.crt, keyFile: tls.key, clientCaFile: ca.crt, linesTokenFile: lines-token}}
  files:
    - {{path: /var/log/audit.log, source: node-1}}
    - {{path: /var/log/gke.log, source: gke, format: GKE}}
coverage: {{namespace: security, every: 10s, servers: 3}}
detection:
  lookBack: 30d
  privileged: [ClusterRole/debug]
  ManyRequests: {{requests: 7}}
  policies: [{{policy: payments/debug, ManyRequests: {{requests: 9}}}}]
server: {{host: "127.0.0.1", port: 0}}
log: {{level: debug, format: console}}
""",
    )

    assert settings.trail.verifier == SIGNER.verifier
    assert settings.audit.log == "used"
    assert settings.intake.webhook is not None
    assert settings.intake.webhook.lines_token_file == folder / "lines-token"
    assert [(file.source, file.format) for file in settings.intake.files] == [
        ("node-1", Form.KUBERNETES),
        ("gke", Form.GKE),
    ]
    assert settings.coverage.servers == 3


@pytest.mark.parametrize(
    ("lines", "heartbeat"),
    [
        ("", timedelta(minutes=1)),
        ("coverage: {every: 5s}", timedelta(minutes=1)),
        ("coverage: {every: 5m}", timedelta(minutes=5)),
        ("coverage: {every: 5m}\ndetection: {AuditGap: {heartbeat: 2m}}", timedelta(minutes=2)),
        ("coverage: {every: 5m}\ndetection: {AuditGap: {heartbeats: 3}}", timedelta(minutes=5)),
    ],
)
def test_a_slow_heartbeat_is_no_gap(folder: Path, lines: str, heartbeat: timedelta) -> None:
    assert load(folder, f"{LEAST}{lines}").tuned["AuditGap"].usual.heartbeat == heartbeat


def test_the_heartbeat_of_the_log_counts_too(folder: Path) -> None:
    slow = LEAST.replace("keyFile: signing.pem", "keyFile: signing.pem, heartbeat: 10m")
    assert load(folder, slow).tuned["AuditGap"].usual.heartbeat == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("coverage: {servers: 0}", "coverage.servers is 0; write the number of API servers, from 1 to 100, or Leases."),
        (
            "coverage: {servers: all}",
            "coverage.servers is 'all'; write the number of API servers, from 1 to 100, or Leases.",
        ),
        ("coverage: {every: 1h}", "coverage.every is 1h; write a duration from 1s to 10m."),
        ("limits: {maxGrant: 745h}", "limits.maxGrant is 745h; write a duration from 1m to 744h."),
        ("  mappings: [none.yaml]", "intake.mappings.0 names none.yaml, which does not exist."),
        (
            "  files: [{source: a}]",
            "intake.files.0.path is missing; write, for example, /var/log/kubernetes/audit.log.",
        ),
        (
            "  files: [{path: audit.log, source: a}]",
            "intake.files.0.path is 'audit.log'; write the whole path, such as /var/log/kubernetes/audit.log.",
        ),
        (
            "  files: [{path: /a, source: A b}]",
            "intake.files.0.source is 'A b'; write up to 63 small letters, digits and dashes, such as main.",
        ),
        (
            "  files: [{path: /a, source: a, format: k8s}]",
            "intake.files.0.format is 'k8s'; write 'Kubernetes', 'EKS', 'GKE' or 'AKS'.",
        ),
        (
            "  files: [{path: /a, source: a, from: GKE}]",
            "there is no setting intake.files.0.from; did you mean intake.files.format?",
        ),
    ],
)
def test_each_problem_is_one_sentence_that_says_what_is_right(folder: Path, line: str, problem: str) -> None:
    (found,) = problems(folder, f"{LEAST}{line}\n")
    assert found.partition(": ")[2] == problem


def test_a_monitor_that_nothing_reaches_is_refused(folder: Path) -> None:
    text = LEAST.replace("  webhook: {certFile: tls.crt, keyFile: tls.key, tokenFile: token}", "  files: []")
    assert problems(folder, text) == [
        "settings.yaml:3: intake names no place where audit events arrive; write beneath it: webhook, files or standardInput."
    ]


def test_two_files_of_one_source_are_refused(folder: Path) -> None:
    files = "  files: [{path: /a, source: a}, {path: /b, source: a}]\n"
    assert problems(folder, LEAST + files) == [
        "settings.yaml:3: intake names source a twice; give each API server a name of its own."
    ]


def test_the_operators_own_log_is_refused(folder: Path) -> None:
    text = LEAST.replace("file:///activity", "file:///trail").replace("keyFile: signing", "log: main, keyFile: signing")
    assert problems(folder, text) == [
        "settings.yaml:2: audit names the operator's own log; write another name at log, such as main-activity."
    ]


def test_a_key_of_another_log_is_refused(folder: Path) -> None:
    text = LEAST.replace('{url: "file:///trail"}', f'{{url: "file:///trail", log: prod, key: "{SIGNER.verifier}"}}')
    assert problems(folder, text) == [
        "settings.yaml:1: trail.key is the key of curfew.dev/log/main; write the key of curfew.dev/log/prod."
    ]


def test_senders_have_to_prove_who_they_are(folder: Path) -> None:
    assert problems(folder, LEAST.replace(", tokenFile: token", "")) == [
        "settings.yaml: intake.webhook.clientCaFile is missing; write, for example, ca.crt, or write tokenFile instead."
    ]


def test_the_token_for_lines_alone_is_not_enough(folder: Path) -> None:
    assert problems(folder, LEAST.replace("tokenFile: token", "linesTokenFile: lines-token")) == [
        "settings.yaml: intake.webhook.clientCaFile is missing; write, for example, ca.crt, or write tokenFile instead."
    ]


def test_a_file_of_tokens_for_lines_has_to_exist(folder: Path) -> None:
    assert problems(folder, LEAST.replace("tokenFile: token", "tokenFile: token, linesTokenFile: none")) == [
        "settings.yaml:4: intake.webhook.linesTokenFile names none, which does not exist."
    ]


OUTSIDE = LEAST + "outside: {allow: [%s]}\n"


def test_bindings_outside_can_be_allowed(folder: Path) -> None:
    told = "{role: ClusterRole/view, subject: Group team}, {binding: RoleBinding/payments/ops}, {namespace: dev}"

    settings = load(folder, OUTSIDE % told).outside

    assert settings.every == timedelta(minutes=5)
    assert settings.allowances == (
        Allowance(role="ClusterRole/view", subject="Group team"),
        Allowance(binding="RoleBinding/payments/ops"),
        Allowance(namespace="dev"),
    )


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{}", "allows everything; give at least one of binding, namespace, role and subject"),
        ("{binding: ops}", "names binding 'ops'; write RoleBinding/NAMESPACE/NAME or ClusterRoleBinding/NAME"),
        ("{binding: RoleBinding//ops}", "names binding 'RoleBinding//ops'"),
        ("{binding: ClusterRoleBinding/a/b}", "names binding 'ClusterRoleBinding/a/b'"),
        ("{role: view}", "names role 'view'; write ClusterRole/NAME or Role/NAME"),
        ("{subject: team}", "names subject 'team'; write User NAME, Group NAME or ServiceAccount NAMESPACE/NAME"),
        ("{subject: Group/team}", "names subject 'Group/team'"),
        ("{user: team}", "user"),
    ],
)
def test_what_would_allow_nothing_or_everything_is_refused(folder: Path, entry: str, problem: str) -> None:
    (found,) = problems(folder, OUTSIDE % entry)

    assert problem in found


def test_where_the_routes_of_notifications_are(folder: Path) -> None:
    settings = load(
        folder,
        f"{LEAST}notifications: {{routes: routes.yaml, link: 'https://host/{{namespace}}/{{request}}?u={{uid}}'}}\n",
    )

    assert settings.notifications.routes == folder / "routes.yaml"  # which need not be there yet
    assert settings.notifications.link == "https://host/{namespace}/{request}?u={uid}"
    assert load(folder, LEAST).notifications.routes is None


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        (
            "host/{request}",
            "is 'host/{request}', which is no web address; write, for example, https://HOST/{namespace}/",
        ),
        ("javascript:alert(1)", "is no web address"),
        ("https://{request}.example.com/", "is no web address"),
        ("https://host/{name}", "has {name}, which is not known; it can have {namespace}, {request}, {uid}, {policy}"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused(folder: Path, link: str, wrong: str) -> None:
    (problem,) = problems(folder, f"{LEAST}notifications: {{link: '{link}'}}\n")

    assert problem.startswith("settings.yaml:")
    assert "notifications.link" in problem
    assert wrong in problem


@pytest.mark.parametrize(
    ("detection", "problem"),
    [
        ("ManyRequest: {}", "detection cannot be used: there is no detector ManyRequest; there are"),
        ("ManyRequests: {request: 3}", "detection cannot be used: ManyRequests has no setting request; it has"),
        ("ManyRequests: {requests: many}", "detection cannot be used: ManyRequests: requests:"),
        ("ManyRequests: 3", "detection has 3 at ManyRequests; write the settings of that detector"),
        ("lookback: 3d", "detection has no setting lookback; write lookBack, privileged, policies, or the name"),
        ("lookBack: 3h", "detection.lookBack is '3h'; write whole days"),
        ("privileged: [debug]", "detection.privileged.0 is 'debug'; write KIND/NAME of a role"),
        ("policies: [{policy: debug}]", "detection.policies.0.policy is 'debug'; write NAMESPACE/NAME"),
        ("policies: [{policy: a/b, Many: {}}]", "detection cannot be used: there is no detector Many; there are"),
        ("policies: [{policy: a/b}, {policy: a/b}]", "detection names policy a/b twice"),
    ],
)
def test_a_detector_that_is_not_there_is_named(folder: Path, detection: str, problem: str) -> None:
    """So is a setting that it does not have, and the line."""
    (found,) = problems(folder, f"{LEAST}detection: {{{detection}}}\n")

    assert problem in found
    assert found.startswith("settings.yaml:5: ")
