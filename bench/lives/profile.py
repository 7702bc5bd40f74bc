"""Where the operator's time went, from the stacks that `bench.lives.sampling` wrote."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

MOST: Final = 25


def as_profile(stacks: str) -> str:
    """Return the functions that were seen most, by lines that have a stack and a number each."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for names, number in _read(stacks):
        own[names[-1]] += number
        within.update(dict.fromkeys(names, number))
    total = own.total() or 1
    lines = [f"{total} samples", "itself"]
    lines += [f"  {number / total:6.1%}  {name}" for name, number in own.most_common(MOST)]
    lines.append("with what it calls")
    lines += [f"  {number / total:6.1%}  {name}" for name, number in within.most_common(3 * MOST)]
    return "\n".join(lines)


def _read(stacks: str) -> Iterator[tuple[list[str], int]]:
    for line in stacks.splitlines():
        names, _, number = line.rpartition(" ")
        yield names.split(";"), int(number)
