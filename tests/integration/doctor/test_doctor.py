"""The doctor finds nothing in a healthy cluster, each planted fault by its code, and nothing of it once it is gone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from curfew.core.doctor.diagnosis import CODES
from tests.integration.doctor.faults import FAULTS, Fault
from tests.integration.doctor.ground import Ground, Vandal
from tests.integration.installed import Installed
from tests.support.operator_process import OperatorProcess


@pytest.fixture(scope="module")
def ground(own: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Return the cluster, with an operator that leads and what its pods would show."""
    folder, s3 = tmp_path_factory.mktemp("operator"), own.environment.s3
    operator = OperatorProcess(
        folder,
        kubeconfig=own.operator_kubeconfig(folder / "kubeconfig"),
        signing_key=own.signing_key(folder / "signing.pem").read_text(),
        store=f"s3://{s3.make_bucket('trail')}/main",
        environ=s3.env(),
    )
    with ExitStack() as stack:
        stack.callback(operator.kill)
        operator.start()
        operator.await_ready()
        ground = Ground(own, operator)
        stack.enter_context(ground.healthy())
        yield ground


def batches() -> list[list[Fault]]:
    """Return the faults in batches of which no two have a code in common: a look at a cluster takes a second."""
    made: list[list[Fault]] = []
    for fault in FAULTS:
        for batch in made:
            taken = {code for other in batch for code in other.codes}
            if fault.is_still is batch[0].is_still and taken.isdisjoint(fault.codes):
                batch.append(fault)
                break
        else:
            made.append([fault])
    return made


def test_each_planted_fault_is_found_and_nothing_in_a_healthy_cluster(ground: Ground) -> None:
    """Each look finds the faults that are there now, and none of those before."""
    healthy = ground.examine()
    assert (healthy.code, healthy.report["findings"]) == (0, [])
    assert "group system:masters" in healthy.report["builtIn"]
    for batch in batches():
        with ExitStack() as undo:
            for fault in batch:
                fault.plant(Vandal(ground, undo, f"planted-{FAULTS.index(fault)}"))
            examined = ground.examine()
        assert examined.codes == sorted({code for fault in batch for code in fault.codes}), examined.told(batch)
        assert examined.code == 1
    after = ground.examine()
    assert (after.code, after.report["findings"]) == (0, [])


def test_there_are_faults_for_all_codes() -> None:
    """Those without one are about the person who looks: what they may not read, and their own clock."""
    assert len(FAULTS) >= 20
    assert {code for fault in FAULTS for code in fault.codes} == set(CODES) - {"D001", "D002", "D004"}


def test_what_somebody_may_not_read_is_not_called_healthy(ground: Ground) -> None:
    examined = ground.examine(user="alice")
    assert (examined.code, examined.codes) == (2, ["D002"])
    told = [one["what"] for one in examined.report["findings"]]
    assert any("alice@example.com" in what and "clusterroles" in what for what in told)


def test_compared_with_an_earlier_look_only_what_is_new_fails(ground: Ground, tmp_path: Path) -> None:
    one, other = (next(fault for fault in FAULTS if fault.codes == (code,)) for code in ("D307", "D502"))
    last = tmp_path / "last.json"
    with ExitStack() as undo:
        one.plant(Vandal(ground, undo, "planted"))
        known = ground.examine()
        last.write_text(known.text)
        assert ground.examine(f"--compare={last}").code == 0
        with ExitStack() as second:
            other.plant(Vandal(ground, second, "planted"))
            both = ground.examine(f"--compare={last}")
    assert (both.code, both.codes) == (1, ["D307", "D502"])
    assert both.report["new"] == ["D502 ConfigMap curfew-system/curfew"]
    gone = ground.examine(f"--compare={last}")
    assert (gone.code, gone.report["gone"]) == (0, ["D307 alice@example.com by ClusterRoleBinding planted"])
