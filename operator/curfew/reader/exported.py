"""Exports of removed parts of a log: their records are proved with the log's own, against its newest checkpoint.

An export holds the tree before its first record, and all leaves of its part. Exports that follow each other, and the
log after them, form one tree. If its root is not the one that the log's key has signed, they do not belong to one
history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curfew.audit.merkle import CompactRange
from curfew.audit.proof import Tree
from curfew.audit.segment import Segment
from curfew.audit.wording import printable, sentence
from curfew.reader.bundle import Manifest, bundle_at, examine
from curfew.reader.bundle_files import NoBundle
from curfew.reader.errors import Apart, CannotRead, NotExported, NotUsable
from curfew.reader.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Exported:
    """The verified part of a log that an export holds."""

    before: CompactRange  # the tree before its first record
    parts: Sequence[tuple[int, Sequence[bytes]]]  # for each segment, first index and leaves


def read_exports(
    files: Sequence[Path], log: str, seen: Callable[[Segment], None], progress: Progress = silent
) -> list[Exported]:
    """Return exports in the order of the log; `seen` is called with each of their segments.

    Each is verified with the key that it names itself; the root of the whole tree shows later whether that key can be
    trusted. Raise `CannotRead`, `NotUsable`, or `NotExported` for one that does not verify.
    """
    return sorted((_read(file, log, seen, progress) for file in files), key=lambda one: one.before.size)


def _read(file: Path, log: str, seen: Callable[[Segment], None], progress: Progress) -> Exported:
    try:
        found = bundle_at(str(file))
        if found is None:
            raise NotUsable(f"{file} is not a bundle; give one that `curfew audit export` wrote.")
        manifest = Manifest.read(found)
    except NoBundle as error:
        raise CannotRead(f"The bundle {file} cannot be read: {error}.") from error
    if manifest.log != log:
        raise NotUsable(f"The export {file} belongs to log {manifest.log}, not to log {log}.")
    parts: list[tuple[int, Sequence[bytes]]] = []

    def take(segment: Segment) -> None:
        parts.append((segment.first, segment.leaves))
        seen(segment)

    with progress(len(manifest.files), "files") as advance:
        examined = examine(found, manifest, manifest.key, (), advance=advance, accepted=take)
    if examined.findings:
        raise NotExported(f"The export {file} does not verify. {printable(sentence(str(examined.findings[0])))}")
    return Exported(examined.before, parts)


def joined(exports: Sequence[Exported], before: CompactRange) -> Tree:
    """Return the tree up to where a log begins, with the leaves of the exports; `before` is the tree at that place.

    Raise `Apart` if records between them are missing.
    """
    earlier = [export for export in exports if export.before.size < before.size]
    if not earlier:
        return Tree(before=before)
    tree = Tree(before=earlier[0].before)
    for export in earlier:
        _refuse_gap(tree.size, export.before.size)
        for first, leaves in export.parts:
            if first <= tree.size < before.size:
                tree.extend(leaves[tree.size - first : before.size - first])
    _refuse_gap(tree.size, before.size)
    return tree


def refuse_other(tree: Tree, root: bytes) -> None:
    """Raise `NotExported` unless exports and a log, together, have the root that the log's key has signed."""
    if tree.root_of(0, tree.size) != root:
        raise NotExported(
            "The exports and the log do not have the same history: the root of the exports together differs from the "
            "root of the log."
        )


def _refuse_gap(end: int, begin: int) -> None:
    if end < begin:
        raise Apart(
            f"Records {end:,} to {begin - 1:,} are in neither the given exports nor the log, so nothing links the "
            "two. Also give the exports that hold these records (--export can be repeated)."
        )
