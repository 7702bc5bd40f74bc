"""The stage on which all attacks are made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.stage import Stage
from tests.integration.installed import Installed
from tests.integration.operator import conftest as of_the_operator
from tests.support.scale import drawn
from tools.servers.environment import chosen_cluster

HERE = Path(__file__).parent
INSIDE = f"{HERE}/"
WITHOUT_STAMPING = ("test_without_stamping.py",)
SAME_ON_BOTH = ("test_bucket.py", "test_statuses.py")
ABOUT_WHO_ASKS = ("server-side apply", "impersonation", "who asks", "marks on a new request", "people")
"""The families that are made in full also where nothing fills in who asks; of the others a tenth."""
TYPED_ABOUT_WHO_ASKS = ("in carol's name", "in another's name", "--as somebody else")
SHARED = (HERE / "test_attacks.py", HERE / "test_with_kubectl.py")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what the other control plane shows: on one that stamps, on one that does not. None: others may say."""
    other = SAME_ON_BOTH if config.getoption("--without-stamping") else WITHOUT_STAMPING
    return True if collection_path.name in other else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is in this folder as needing real servers, and leave it out if people have no certificates.

    Without stamping a tenth is enough of what is not about who asks; `make soak` makes all attacks twice.
    """
    ours = [place for place, item in enumerate(items) if str(item.path).startswith(INSIDE)]
    # First those with an operator: it would take the requests that the other attacks leave for its own work.
    for place, item in zip(ours, sorted((items[place] for place in ours), key=_has_no_operator), strict=True):
        items[place] = item
    if config.getoption("--without-stamping"):
        again = [item for item in items if item.path in SHARED and not _is_about_who_asks(item)]
        out = {item.nodeid for item in again} - set(drawn([item.nodeid for item in again], "unstamped attacks"))
        config.hook.pytest_deselected(items=[item for item in again if item.nodeid in out])
        items[:] = [item for item in items if item.nodeid not in out]
    for item in items:
        if str(item.path).startswith(INSIDE):
            item.add_marker(pytest.mark.integration)
            if chosen_cluster() != "local":
                item.add_marker(
                    pytest.mark.skip(reason="attacks need a control plane of our own: people with certificates")
                )


# What runs an operator, and reads its log.
certificates = of_the_operator.certificates
new_operator = of_the_operator.new_operator
operator = of_the_operator.operator
read_log = of_the_operator.read_log
signing_key = of_the_operator.signing_key


@pytest.fixture(scope="module")
def stage(cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return the namespace in which all attacks are made; no two share an object. It is gone before other tests begin."""
    made = Stage(cluster, tmp_path_factory.mktemp("keys"))
    yield made
    made.close()


def _has_no_operator(item: pytest.Item) -> bool:
    return item.path.name != "test_statuses.py"


def _is_about_who_asks(item: pytest.Item) -> bool:
    families = tuple(f"test_attack[{family}:" for family in ABOUT_WHO_ASKS)
    return (
        "[" not in item.name
        or item.name.startswith(families)
        or any(words in item.name for words in TYPED_ABOUT_WHO_ASKS)
    )
