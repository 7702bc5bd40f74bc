"""The file of routes: read whole or not at all, read again when it changes, and never quoted where it goes wrong."""

import logging
from pathlib import Path

import pytest

from curfew.adapters.notifying.routes import RoutesFile
from curfew.adapters.notifying.templates import NAMES
from curfew.core.notifications.message import Occasion
from tests.support.messages import a_message

SECRET = "hunter2hunter2"
GOOD = "routes: [{name: r, urls: ['json://user:hunter2hunter2@localhost:1/']}]"


def read(folder: Path, text: str) -> RoutesFile:
    """Return what is made of a file."""
    (folder / "routes.yaml").write_text(text)
    routes = RoutesFile(folder / "routes.yaml")
    routes.read()
    return routes


def test_all_that_can_be_said_about_a_route(tmp_path: Path) -> None:
    routes = read(
        tmp_path,
        f"""
        routes:
          - name: people
            events: [{", ".join(Occasion)}]
            namespaces: [payments, team-*]
            policies: [debug]
            severity: Low
            urls: ["mailtos://user:{SECRET}@mail.example.com?from=curfew@example.com"]
            toPerson: [example.com]
            perMinute: 5
            templates:
              RequestPending: {{title: "x {{{{ title }}}}", body: "{" ".join("{{ " + name + " }}" for name in NAMES)}"}}
          - name: alerts
            events: [Alert]
            detectors: [ManyRequests]
            severity: High
            urls: ["json://localhost:1", "discord://123456789012345678/{"A" * 68}"]
        """,
    )

    assert routes.trouble == ""
    assert [str(place.channel) for place in routes.places] == ["people/0", "alerts/0", "alerts/1"]
    assert [place.channel.family for place in routes.places] == ["Email", "JSON", "Discord"]
    assert (routes.places[0].channel.per_minute, routes.places[0].channel.is_personal) == (5, True)
    assert [place.takes(a_message()) for place in routes.places] == [True, False, False]


def test_a_new_file_is_read_and_the_same_one_is_not(tmp_path: Path) -> None:
    routes = read(tmp_path, GOOD)
    before = routes.places

    assert not routes.read()
    assert routes.places is before
    (tmp_path / "routes.yaml").write_text(GOOD.replace("name: r", "name: new"))
    assert routes.read()
    assert [place.channel.route for place in routes.places] == ["new"]


def test_as_kubelet_changes_a_secret(tmp_path: Path) -> None:
    """All files at once, by a link to another folder."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routes.yaml").write_text(GOOD.replace("name: r", f"name: {name}"))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "routes.yaml").symlink_to("..data/routes.yaml")
    routes = RoutesFile(tmp_path / "routes.yaml")
    assert routes.read()

    (tmp_path / "..new").symlink_to("two")
    (tmp_path / "..new").rename(tmp_path / "..data")

    assert routes.read()
    assert [place.channel.route for place in routes.places] == ["two"]


def test_a_file_that_is_gone_leaves_the_routes_in_force(tmp_path: Path) -> None:
    routes = read(tmp_path, GOOD)
    (tmp_path / "routes.yaml").unlink()

    assert not routes.read()
    assert len(routes.places) == 1
    assert routes.trouble == f"{tmp_path}/routes.yaml: cannot be read: No such file or directory."

    (tmp_path / "routes.yaml").write_text(GOOD)
    assert routes.read()
    assert routes.trouble == ""


U = f"xyz://{SECRET}"
WRONG = {
    "": "routes is missing; write beneath it: name, urls",
    "[1]": "holds no settings",
    "routes: [": "is not YAML",
    "routes: [{name: 2026-13-45}]": "holds a value that is not what it looks like",
    f"routes: {'9' * 5000}": "holds a value that is not what it looks like",
    "[" * 3000: "is nested too deeply",
    "routes: &a [*a]": "routes is not a list of routes",
    "\n".join(f"a{one}: &a{one} [*a{one - 1}, *a{one - 1}]" for one in range(1, 60)).replace(
        "*a0", "x"
    ): "routes is missing",
    "routes: 7": "routes is not a list of routes; each begins with - name:",
    f"routes: ['{U}']": "routes is not a list of routes",
    "routes: []": "routes is not a list of routes",
    f"routes: [{{urls: ['{U}']}}]": "routes.0.name is missing; write, for example, approvers",
    "routes: [{name: r}]": "routes.0.urls is missing",
    f"routes: [{{name: r, urls: '{U}'}}]": "routes.0.urls is not a list of texts",
    f"routes: [{{name: r, urls: [['{U}']]}}]": "routes.0.urls is not a list of texts",
    f"routes: [{{name: '{U}', urls: ['{U}']}}]": "routes.0.name is no name of a route",
    f"routes: [{{name: r, url: ['{U}']}}]": "there is no setting routes.0.url; did you mean routes.urls?",
    f"routes: [{{name: r, urls: ['{U}'], '{U}': 1}}]": "there is no setting ADDRESS",
    f"routes: [{{name: r, urls: ['{U}'], events: [Pending]}}]": "names an event that does not exist; the events are: Req",
    f"routes: [{{name: r, urls: ['{U}'], severity: Bad}}]": "is no severity; write Low, Medium, High, Critical",
    f"routes: [{{name: r, urls: ['{U}'], perMinute: 0}}]": "is not a number of messages from 1 to 600",
    f"routes: [{{name: r, urls: ['{U}'], toPerson: ['@x']}}]": "is not a list of mail domains",
    f"routes: [{{name: r, urls: ['{U}'], templates: 1}}]": "holds no templates",
    f"routes: [{{name: r, urls: ['{U}'], templates: {{Alert: {{body: 1}}}}}}]": "is not a template of at most 10,000",
    f"routes: [{{name: r, urls: ['{U}']}}, {{name: r, urls: ['{U}']}}]": "routes names r twice",
    f"routes: [{{name: r, urls: [{', '.join([repr(U)] * 61)}]}}]": "has 1 routes with 61 urls; at most 50 and 60",
    f"routes: [{{name: r, urls: ['{U}']}}]": "route r: address 1 is not understood by Apprise",
    f"routes: [{{name: r, urls: ['json://a:{SECRET}@[x']}}]": "route r: address 1 is not an address that Apprise can read",
    f"routes: [{{name: r, urls: ['slack://{SECRET}']}}]": "route r: address 1 is not understood by Apprise",
    f"routes: [{{name: r, urls: ['json://x/{SECRET}?Format=html']}}]": "address 1 has the option format; leave it out",
    f"routes: [{{name: r, urls: ['json://x/{SECRET}?retry=5']}}]": "address 1 has the option retry; leave it out",
    f"routes: [{{name: r, urls: ['json://x/{SECRET}'], toPerson: [x]}}]": "is not of mail, and only mail can go to",
    f"routes: [{{name: r, urls: ['json://{SECRET}'], templates: {{Alert: {{body: '{{{{'}}}}}}]": "of Alert is not a template",
    f"routes: [{{name: r, urls: ['json://{SECRET}'], templates: {{Alert: {{title: '{{{{ nme }}}}'}}}}}}]": "it can name topic",
    f"routes: [{{name: r, urls: ['json://{SECRET}'], templates: {{Alert: {{title: '{{{{ 1/0 }}}}'}}}}}}]": "ZeroDivisionError",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_without_any_address_and_the_old_routes_stay(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    routes = read(tmp_path, GOOD)
    (tmp_path / "routes.yaml").write_text(text)

    with caplog.at_level(logging.DEBUG):
        assert not routes.read()

    assert WRONG[text] in routes.trouble
    assert f"{tmp_path}/routes.yaml" in routes.trouble
    assert SECRET not in routes.trouble
    assert SECRET not in caplog.text
    assert [place.channel.route for place in routes.places] == ["r"]


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ facts.append(1) }}",
        "{{ self._TemplateReference__context }}",
        "{% for x in range(10**9) %}x{% endfor %}",
        "{% include 'x' %}",
        "{{ cycler.__init__.__globals__ }}",
    ],
)
def test_a_template_can_do_nothing_but_write(tmp_path: Path, source: str) -> None:
    (tmp_path / "routes.yaml").write_text(
        f"routes: [{{name: r, urls: ['json://localhost'], templates: {{Alert: {{body: {source!r}}}}}}}]".replace(
            "\\'", "''"
        )
    )
    routes = RoutesFile(tmp_path / "routes.yaml")

    assert not routes.read()
    assert "body of Alert" in routes.trouble
