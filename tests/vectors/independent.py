"""A second reader of the format, written from docs/audit-record.md alone: nothing of Curfew is imported.

It is as plain as it can be and checks everything that the specification says a verifier must. Whoever writes a reader in
another language may start from it. `python -m tests.vectors.independent FOLDER KEY` prints the size and the root.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TRAILER_HEAD = bytes.fromhex("502a4d1840000000")


def read_log(folder: Path, log: str, verifier_key: str) -> tuple[int, str, list[str]]:
    """Return the number of records, the root in hex and the lines of a log, or raise `AssertionError`."""
    name, key_hash, encoded = verifier_key.split("+", 2)
    raw = base64.b64decode(encoded)
    assert (name, raw[0], len(raw)) == (f"curfew.dev/log/{log}", 1, 33)
    assert hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_hash
    key = Ed25519PublicKey.from_public_bytes(raw[1:])

    previous, day, seq, latest = hashlib.sha256(log.encode()).digest(), "1970-01-01", 0, ""
    leaves: list[bytes] = []
    lines: list[str] = []
    places = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    while (place := f"v1/log={log}/dt={day}/{seq:012d}-{previous.hex()[:16]}.jsonl.zst") in places:
        places.remove(place)
        stored = (folder / place).read_bytes()
        frame, head, signature = stored[:-72], stored[-72:-64], stored[-64:]
        assert head == TRAILER_HEAD
        key.verify(signature, b"curfew segment v1\n" + hashlib.sha256(frame).digest())
        content = zstandard.ZstdDecompressor().decompress(frame)
        *records, last = content.decode().removesuffix("\n").split("\n")
        seal = json.loads(last)["seal"]
        assert json.dumps({"seal": seal}, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == last
        assert (seal["schema"], seal["log"], seal["seq"]) == ("curfew.segment/v1", log, seq)
        assert (seal["previous"], seal["first"], seal["count"]) == (previous.hex(), len(leaves), len(records))
        assert seal["at"] >= latest
        assert seal["next_dt"] == seal["at"][:10]
        leaves += [hashlib.sha256(b"\0" + record.encode()).digest() for record in records]
        lines += records
        assert seal["range"] == {"size": len(leaves), "hashes": [subtree.hex() for subtree in subtrees(leaves)]}
        body = f"{name}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
        text, signatures = seal["checkpoint"].split("\n\n")
        assert text + "\n" == body
        dash, signer, note_signature = signatures.removesuffix("\n").split(" ")
        assert (dash, signer) == ("\N{EM DASH}", name)
        assert base64.b64decode(note_signature)[:4].hex() == key_hash
        key.verify(base64.b64decode(note_signature)[4:], body.encode())
        previous, day, seq, latest = hashlib.sha256(stored).digest(), seal["next_dt"], seq + 1, seal["at"]
    assert not places, f"these do not belong to the log, or what is before them is missing: {sorted(places)}"
    return len(leaves), root(leaves).hex(), lines


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:left]) + root(leaves[left:])).digest()


def subtrees(leaves: list[bytes]) -> list[bytes]:
    """Return the roots of the perfect subtrees, largest first."""
    found, start = [], 0
    for bit in reversed(range(len(leaves).bit_length())):
        if len(leaves) & 1 << bit:
            found.append(root(leaves[start : start + (1 << bit)]))
            start += 1 << bit
    return found


if __name__ == "__main__":
    print(*read_log(Path(sys.argv[1]), "main", sys.argv[2])[:2])  # noqa: T201  it is a command
