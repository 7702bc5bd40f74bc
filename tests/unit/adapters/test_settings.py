"""Settings are read whole or refused with a sentence for each problem."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from curfew.settings.loading import SettingsRefused
from curfew.settings.operator import Settings, load_settings

LEAST = """\
audit:
  url: file:///trail
  keyFile: signing.pem
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "signing.pem").write_text("a key")
    return tmp_path


def load(folder: Path, text: str) -> Settings:
    (folder / "settings.yaml").write_text(text)
    return load_settings(folder / "settings.yaml")


def problems(folder: Path, text: str) -> list[str]:
    """Return what is wrong with settings, without the file's folder."""
    with pytest.raises(SettingsRefused) as caught:
        load(folder, text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]


def test_little_has_to_be_said(folder: Path) -> None:
    settings = load(folder, LEAST)
    assert settings.audit.url == "file:///trail"
    assert settings.audit.log == "main"
    assert settings.audit.worm == "required"
    assert settings.audit.key_file == folder / "signing.pem"
    assert settings.audit.heartbeat == timedelta(seconds=60)
    assert settings.audit.retention == timedelta(days=400)
    assert settings.audit.keep_for is None
    assert settings.audit.attest_every == timedelta(minutes=15)
    assert settings.limits.max_grant == timedelta(hours=24)
    assert settings.finished.keep_for == timedelta(days=30)
    assert (settings.enforcement.namespace, settings.enforcement.service_account) == ("curfew-system", "curfew-probe")
    assert settings.enforcement.every == timedelta(seconds=30)
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8080)  # noqa: S104  the default, not a listener
    assert (settings.log.level, settings.log.format) == ("info", "json")


@pytest.mark.parametrize("nothing", ["0", "'0'", "0s", "0h"])
def test_finished_requests_can_be_kept_for_ever(folder: Path, nothing: str) -> None:
    assert load(folder, f"{LEAST}finished: {{keepFor: {nothing}}}\n").finished.keep_for == timedelta(0)


def test_everything_can_be_said(folder: Path) -> None:
    settings = load(
        folder,
        f"""\
audit:
  {{url: "s3://trail/prod", log: team-a, worm: advisory, retention: 2555d, keepFor: 2600d, attestEvery: 5m,
    keyFile: {folder}/signing.pem, heartbeat: 1m30s}}
limits: {{maxGrant: 8h}}
finished: {{keepFor: 168h}}
enforcement: {{namespace: security, serviceAccount: prober, every: 10s}}
server: {{host: "127.0.0.1", port: 0}}
log: {{level: debug, format: console}}
""",
    )
    assert settings.audit.heartbeat == timedelta(seconds=90)
    assert settings.audit.retention == timedelta(days=2555)
    assert settings.audit.keep_for == timedelta(days=2600)
    assert settings.audit.attest_every == timedelta(minutes=5)
    assert settings.limits.max_grant == timedelta(hours=8)
    assert settings.finished.keep_for == timedelta(days=7)
    assert (settings.enforcement.namespace, settings.enforcement.service_account) == ("security", "prober")
    assert settings.enforcement.every == timedelta(seconds=10)
    assert settings.server.port == 0
    assert settings.log.format == "console"


def test_a_section_with_nothing_in_it_is_as_good_as_none(folder: Path) -> None:
    assert load(folder, LEAST + "limits:\nserver:\n").server.port == 8080


def test_settings_do_not_change_afterwards(folder: Path) -> None:
    settings = load(folder, LEAST)
    with pytest.raises(ValidationError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]  # that is the point


def test_all_problems_are_told_at_once(folder: Path) -> None:
    assert problems(folder, "audit:\n  wrom: advisory\nserver: {port: many}\n") == [
        "settings.yaml: audit.url is missing; write, for example, s3://BUCKET/PREFIX.",
        "settings.yaml: audit.keyFile is missing; write, for example, signing.pem, or write signer instead.",
        "settings.yaml:2: there is no setting audit.wrom; did you mean audit.worm?",
        "settings.yaml:3: server.port is 'many': input should be a valid integer; write, for example, 8080.",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  log: Main_Log", "audit.log is 'Main_Log'; write up to 63 small letters, digits and dashes, such as main."),
        ("  worm: maybe", "audit.worm is 'maybe'; write 'required' or 'advisory'."),
        ("  heartbeat: 60", "audit.heartbeat 60 is not a duration such as 30m or 1h30m."),
        ("  heartbeat: 2h", "audit.heartbeat is 2h; write a duration from 1s to 1h."),
        ("  retention: 400", "audit.retention is 400; write whole days from 1d to 9999d, such as 400d."),
        (
            "  keepFor: 399d",
            "audit.keepFor is 399d; write at least 400d, the longer of retention and 40d.",
        ),
        ("  retention: 9h", "audit.retention is '9h'; write whole days from 1d to 9999d, such as 400d."),
        ("  retention: 0d", "audit.retention is '0d'; write whole days from 1d to 9999d, such as 400d."),
        ("  retention: 10000d", "audit.retention is '10000d'; write whole days from 1d to 9999d, such as 400d."),
        ("  attestEvery: 2h", "audit.attestEvery is 2h; write a duration from 1s to 1h."),
        ("  key_file: x", "there is no setting audit.key_file; did you mean audit.keyFile?"),
        ("  maxGrant: 1h", "there is no setting audit.maxGrant; did you mean limits.maxGrant?"),
        (
            "  zzz: 1",
            (
                "there is no setting audit.zzz; the settings are: "
                "audit.attestEvery, audit.credentialsFolder, audit.forward, audit.heartbeat, audit.keepFor, audit.keyFile, "
                "audit.log, audit.people, audit.previousKeyFile, audit.previousSigner, audit.retention, audit.signer, "
                "audit.url, audit.worm."
            ),
        ),
        (
            "  previousKeyFile: absent.pem",
            (
                "audit.previousKeyFile names absent.pem, which does not exist; make it with: "
                "openssl genpkey -algorithm ed25519 -out absent.pem."
            ),
        ),
        (
            "  previousSigner: {uri: vault, publicKey: pem}",
            "audit.previousSigner.uri is 'vault'; write the address of the key's holder, such as hv:curfew/1.",
        ),
        (
            "  forward: {stdout: true, url: 'https://c/x'}",
            "audit.forward.url is set, and so is stdout; keep one of them.",
        ),
        (
            "  forward: {url: 'c:4318'}",
            "audit.forward.url is not the address of an HTTP collector; write https://HOST/PATH.",
        ),
        (
            "  forward: {url: 'https://me:s3cr3t@c/x'}",
            ("audit.forward.url must not hold credentials or a query; put credentials into headersFile."),
        ),
        (
            "  forward: {url: 'https://c/x', format: syslog}",
            "audit.forward.format is 'syslog'; write 'cloudevents' or 'otlp'.",
        ),
        (
            "  forward: {url: 'http://c/x', headersFile: signing.pem}",
            "audit.forward.headersFile is set, but url begins with http://; credentials are sent only to https://.",
        ),
        (
            "  forward: {url: 'https://c/x', headersFile: absent}",
            "audit.forward.headersFile names absent, which does not exist.",
        ),
        ("limits: {maxGrant: 745h}", "limits.maxGrant is 745h; write a duration from 1m to 744h."),
        ("finished: {keepFor: -1h}", "finished.keepFor is -1h; write a duration from 0s to 87600h."),
        ("finished: {keepFor: 30}", "finished.keepFor 30 is not a duration such as 30m or 1h30m."),
        ("finished: 30d", "finished is '30d'; write beneath it: keepFor."),
        ("enforcement: {every: 6m}", "enforcement.every is 6m; write a duration from 1s to 5m."),
        ("limits: 24h", "limits is '24h'; write beneath it: maxGrant."),
        (
            "server: {port: 65536}",
            "server.port is 65536: input should be less than or equal to 65535; write, for example, 8080.",
        ),
        ("servr: {port: 1}", "there is no setting servr; did you mean server?"),
        ("port: 1", "there is no setting port; did you mean server.port?"),
        ("log: {level: loud}", "log.level is 'loud'; write 'debug', 'info', 'warning' or 'error'."),
        ("  log: a\n  log: b", "audit.log is set twice; keep one."),
    ],
)
def test_each_problem_is_one_sentence_that_says_what_is_right(folder: Path, line: str, problem: str) -> None:
    at = LEAST.count("\n") + 1 + line.count("\n")
    assert problems(folder, f"{LEAST}{line}\n") == [f"settings.yaml:{at}: {problem}"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            "  signer: {uri: 'hv:curfew/1', publicKey: pem}",
            ["settings.yaml:3: audit.keyFile is set, and so is signer; keep one of them."],
        ),
        (
            "  previousSigner: {uir: x, publicKey: pem}",
            [
                "settings.yaml: audit.previousSigner.uri is missing; write, for example, hv:curfew/1.",
                "settings.yaml:4: there is no setting audit.previousSigner.uir; did you mean audit.previousSigner.uri?",
            ],
        ),
        (
            "  forward: {}",
            [
                (
                    "settings.yaml: audit.forward.url is missing; "
                    "write, for example, https://COLLECTOR/PATH, or write stdout instead."
                )
            ],
        ),
    ],
)
def test_what_is_one_of_two_is_said_once(folder: Path, lines: str, told: list[str]) -> None:
    assert problems(folder, f"{LEAST}{lines}\n") == told


def test_a_key_may_be_held_elsewhere(folder: Path) -> None:
    settings = load(
        folder,
        """\
audit:
  url: file:///trail
  signer: {uri: "hv:curfew/2", publicKey: PEM}
  previousKeyFile: signing.pem
""",
    )
    assert settings.audit.key_file is None
    assert settings.audit.signer is not None
    assert (settings.audit.signer.uri, settings.audit.signer.public_key) == ("hv:curfew/2", "PEM")
    assert settings.audit.previous_key_file == folder / "signing.pem"


def test_records_may_be_sent_on(folder: Path) -> None:
    settings = load(folder, f"{LEAST}  forward: {{url: 'https://c/v1/logs', format: otlp, headersFile: signing.pem}}\n")
    assert settings.audit.forward is not None
    assert settings.audit.forward.headers_file == folder / "signing.pem"

    forward = load(folder, f"{LEAST}  forward: {{stdout: true}}\n").audit.forward
    assert forward is not None
    assert (forward.stdout, forward.url, forward.format) == (True, None, "cloudevents")


@pytest.mark.parametrize("url", ["trail", "s3:/trail/x", "s3://", "http://minio/trail", "file://trail", "ftp://x/y"])
def test_only_the_address_of_a_store_is_one(folder: Path, url: str) -> None:
    [problem] = problems(folder, LEAST.replace("file:///trail", url))
    assert problem == (
        f"settings.yaml:2: audit.url is '{url}', which is not the address of a store; write s3://BUCKET/PREFIX, "
        "gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER."
    )


def test_credentials_in_an_address_are_refused_and_not_repeated(folder: Path) -> None:
    [problem] = problems(folder, LEAST.replace("file:///trail", "s3://me:s3cr3t@trail/x"))
    assert "credentials" in problem
    assert "s3cr3t" not in problem


def test_a_key_that_is_not_there_is_told_with_how_to_make_one(folder: Path) -> None:
    (folder / "signing.pem").unlink()
    [problem] = problems(folder, LEAST)
    assert problem == (
        "settings.yaml:3: audit.keyFile names signing.pem, which does not exist; "
        "make it with: openssl genpkey -algorithm ed25519 -out signing.pem."
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "",
            "settings.yaml: audit is missing; write beneath it: url, log, worm, retention, keepFor, attestEvery, signer, ",
        ),
        ("audit", "settings.yaml: holds no settings; a settings file begins with: audit:"),
        ("- audit", "settings.yaml: holds no settings; a settings file begins with: audit:"),
        ("audit: {", "settings.yaml:1: is not YAML: expected the node content, but found '<stream end>'."),
        ("audit: !!python/object:x {}", "settings.yaml:1: is not YAML: could not determine a constructor for the tag"),
        ("? [a]\n: b\n", "settings.yaml:1: is not YAML: found unhashable key"),
        ("1: 2\n" + LEAST, "settings.yaml:1: there is no setting 1; "),
        ("\x00", "settings.yaml: is not YAML: unacceptable character #x0000"),
    ],
    ids=["nothing", "a word", "a list", "not closed", "an object", "a key of no kind", "a number", "binary"],
)
def test_a_file_that_is_no_settings_is_told(folder: Path, text: str, problem: str) -> None:
    [told] = problems(folder, text)
    assert told.startswith(problem)


def test_a_file_that_cannot_be_read_is_told(folder: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"absent.yaml: cannot be read: No such file or directory"):
        load_settings(folder / "absent.yaml")
    (folder / "latin.yaml").write_bytes(b"audit: \xe4")
    with pytest.raises(SettingsRefused, match="is not text in UTF-8"):
        load_settings(folder / "latin.yaml")
    (folder / "large.yaml").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(SettingsRefused, match="is larger than 1,048,576 bytes"):
        load_settings(folder / "large.yaml")


@pytest.mark.parametrize("people", ["file:///trail", "file:///trail/"])
def test_names_do_not_lie_where_nothing_is_ever_deleted(folder: Path, people: str) -> None:
    [problem] = problems(folder, f"{LEAST}  people: {people}\n")

    assert f"audit.people is '{people}', where the log is written; write the address of another bucket" in problem


def test_names_may_lie_in_another_bucket(folder: Path) -> None:
    text = LEAST.replace("file:///trail", "s3://trail/prod") + "  people: s3://people/prod\n"
    (folder / "settings.yaml").write_text(text)

    assert load_settings(folder / "settings.yaml").audit.people == "s3://people/prod"
