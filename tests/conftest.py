"""What holds for all tests, and the real servers: one control plane and one bucket server for whoever asks for them."""

import asyncio
import gc
import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.integration.installed import Installed
from tests.support.scale import seed, times
from tests.support.spreading import Spreading, place
from tools.servers import ports
from tools.servers.environment import Environment


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what can be asked for."""
    parser.addoption(
        "--without-stamping",
        action="store_true",
        help="use a control plane as before Kubernetes 1.36, on which nothing fills in who asks",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start without an event loop, and let no test fail by being slow.

    An event loop that was made by merely asking for it is never closed, and that is a warning.
    """
    asyncio.set_event_loop(None)
    # A machine may be busy: how long an example takes proves nothing.
    settings.register_profile("untimed", deadline=None, max_examples=times(200))
    settings.load_profile("untimed")
    seed()  # the processes that share the tests have to know the same
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        number = int(worker["workerid"].removeprefix("gw"))
        os.environ[ports.SHARE_VARIABLE] = ports.share(number, worker["workercount"])


def pytest_report_header() -> str:
    """Show by which seed things are drawn in this run."""
    return f"CURFEW_SEED={seed()}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Spreading:
    """Spread the tests so that what shares something costly stays together."""
    return Spreading(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run is not about, and begin with what takes long if several processes share the tests.

    Virtual time goes on when the loop has nothing to do; that it looks 42 times before was a tenth of the tests' time.
    """
    for item in items:
        if item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.looptime(noop_cycles=1))
    if config.getoption("--without-stamping"):
        out = [item for item in items if item.get_closest_marker("stamping")]
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make texts of what was measured: processes that share the tests can hand over no other objects."""
    report = yield
    report.user_properties = [(name, str(value)) for name, value in report.user_properties]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what was measured: how late the ends were, and the like."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    figures = {
        f"{report.nodeid.rpartition('::')[2]}: {name} {value}": None
        for report in reports
        for name, value in getattr(report, "user_properties", ())
    }
    if figures:
        terminalreporter.section("measured")
        for figure in figures:
            terminalreporter.write_line(figure)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, and never among what stays: modules, and twelve thousand tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """Return running servers; the first time ever, they are built, which takes minutes."""
    with Environment(mutating_admission=not request.config.getoption("--without-stamping")) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(environment: Environment) -> Iterator[Installed]:
    """Return the cluster with the chart installed and its policies in force."""
    installed = Installed(environment)
    try:
        installed.install()
        yield installed
    finally:
        if environment.choice != "local":  # ours goes with the servers
            installed.uninstall()
        installed.close()


@pytest.fixture
def namespace(cluster: Installed) -> Iterator[str]:
    """Return a new namespace that takes part."""
    name = cluster.make_namespace()
    yield name
    cluster.drop_namespace(name)
