"""A second reader of proofs, written from docs/audit-record.md alone: nothing of Curfew is imported.

`python -m tests.vectors.independent_proof FILE KEY` prints the record, if the proof holds.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def read_proof(data: bytes, verifier_key: str) -> str:
    """Return the record that is proved, as its line, or raise something."""
    proof = json.loads(data)
    assert json.dumps(proof, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" == data
    assert set(proof) == {"schema", "log", "index", "record", "path", "checkpoint", "key"}
    assert (proof["schema"], proof["key"]) == ("curfew.proof/v1", verifier_key)
    name, _, encoded = verifier_key.split("+", 2)
    body, signature = proof["checkpoint"].split(f"\n\n\N{EM DASH} {name} ")
    origin, size, root = body.split("\n")
    assert origin == name == f"curfew.dev/log/{proof['log']}"
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    key.verify(base64.b64decode(signature.removesuffix("\n"))[4:], f"{body}\n".encode())

    # RFC 9162, section 2.1.3.2, which checks the same paths as RFC 6962 makes.
    place, last = proof["index"], int(size) - 1
    assert 0 <= place <= last
    node = hashlib.sha256(b"\0" + proof["record"].encode()).digest()
    for beside in map(bytes.fromhex, proof["path"]):
        assert last
        if place & 1 or place == last:
            node = hashlib.sha256(b"\1" + beside + node).digest()
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + beside).digest()
        place, last = place >> 1, last >> 1
    assert last == 0
    assert base64.b64encode(node).decode() == root
    return str(proof["record"])


if __name__ == "__main__":
    print(read_proof(Path(sys.argv[1]).read_bytes(), sys.argv[2]))  # noqa: T201  it is a command
