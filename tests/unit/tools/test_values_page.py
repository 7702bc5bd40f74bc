"""The page with the chart's values."""

import yaml

from tools.values_page import CHART, comments_of, values_page

PAGE = values_page()


def test_each_value_has_a_row_that_says_what_it_is() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]

    assert len(rows) > 100
    assert [path for path, _, said in rows if not said.strip(" |")] == []


def test_a_value_that_is_only_a_comment_has_its_comment() -> None:
    """Such as `# keepFor: 500d`."""
    assert "| `config.audit.keepFor` |  | Records older than this may be removed" in PAGE


def test_each_section_of_the_file_is_on_the_page() -> None:
    for key in yaml.safe_load((CHART / "values.yaml").read_text()):
        assert f"`{key}" in PAGE, key


def test_an_example_is_no_part_of_a_sentence() -> None:
    text = "# What it is.\n#    such as: [a]\n# And more.\nlist: []\n"

    assert comments_of(text, {"properties": {"list": {}}}) == {("list",): "What it is. And more."}
