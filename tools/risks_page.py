"""docs/api/risks.md, drawn from the table in the code."""

from curfew.core.risk_table import MEANINGS, ROWS, VERSION, Lasts

INTRODUCTION = f"""# Risks of a role

<!-- Drawn by `make generate` from operator/curfew/core/risk_table.py. Do not edit. -->

Curfew reads the rules of the role that an AccessPolicy offers, and shows each risk in `.status.risk`, in one word. The
condition `EndsWithGrant` of the policy gives the reason for each word (`kubectl describe accesspolicy`). Curfew judges the
role again whenever the role or the policy changes, and at each start. This is version {VERSION} of the table
(`.status.riskTable`).

- **access**: a person could create access that outlives the grant. Curfew offers the role only with
  `allowPermanence: true`.
- **effects**: what was read, opened or changed remains after the grant. Curfew shows the word and offers the role.

What the table does not name is `Unrecognised`: kinds of other API groups, unknown verbs, and `*` as the API group. Curfew
shows the word and offers the role, because it cannot know every kind. Look at the kind before you offer the role.

A grant is a RoleBinding. It gives no access to cluster-scoped resources (nodes, webhooks and so on), but a role that names
them is meant for more than one namespace. So the words for these resources count as well.

| word | remains | why | earned by |
|---|---|---|---|
"""


def risks_page() -> str:
    """Return the page: one line for each word, with the rows of the table that earn it."""
    lines = []
    for word, meaning in sorted(MEANINGS.items()):
        earned = "<br>".join(
            f"{', '.join(row.verbs)} on {' '.join(row.resources)}{f' ({row.group})' if row.group else ''}"
            for row in ROWS
            if row.word == word
        ).replace("*", "\\*")
        remains = f"**{meaning.lasts}**" if meaning.lasts is Lasts.ACCESS else str(meaning.lasts)
        lines.append(f"| `{word}` | {remains} | {meaning.why} | {earned} |\n")
    return INTRODUCTION + "".join(lines)
