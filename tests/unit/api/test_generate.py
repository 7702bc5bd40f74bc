"""Generated files are as the code would have them."""

from pathlib import Path

import pytest
import yaml

from curfew.api.crds import crds
from tools import generate


def definitions() -> dict[Path, str]:
    """Return the generated files that define custom resources."""
    return {path: text for path, text in generate.generated().items() if path.parent.name == "crds"}


def test_what_is_committed_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes a model runs `make generate`."""
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_file_is_found_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check names the file and writes nothing; without it, the file is written."""
    monkeypatch.setattr(generate, "CHECKOUT", tmp_path)
    stale = tmp_path / "crds" / "accessrequests.curfew.dev.yaml"

    assert generate.main(["--check"]) == 1
    assert not stale.exists()
    assert "crds/accessrequests.curfew.dev.yaml" in capsys.readouterr().out
    assert generate.main([]) == 0
    stale.write_text(stale.read_text().replace("phase cannot be rewound", "phase may be anything"))
    assert generate.main(["--check"]) == 1
    assert "+                  message: phase cannot be rewound" in capsys.readouterr().out
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_a_written_definition_is_read_back_the_same() -> None:
    """YAML has many ways to change a text on its way."""
    written = {path.name: yaml.safe_load(text) for path, text in definitions().items() if "charts" not in path.parts}

    assert written == {f"{crd['metadata']['name']}.yaml": crd for crd in crds()}


def test_the_chart_keeps_the_definitions() -> None:
    """Without them every request and policy would be gone."""
    in_chart = [yaml.safe_load(text) for path, text in definitions().items() if "charts" in path.parts]

    assert len(in_chart) == len(crds())
    assert all(crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"} for crd in in_chart)


def test_what_helm_would_take_for_its_own_is_refused() -> None:
    """A description with braces must not become a template."""
    with pytest.raises(ValueError, match="Helm"):
        generate._as_template("{{ .Values }}")
