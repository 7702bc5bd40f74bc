"""What `zstd -dc | sha256sum` does, for machines without zstd: `python -m bench.floor FOLDER`."""

import hashlib
import sys
from pathlib import Path

import zstandard


def main(folder: Path) -> None:
    """Unpack all segments under a folder in the order of their names, and print the hash of what they hold."""
    digest = hashlib.sha256()
    unpacker = zstandard.ZstdDecompressor()
    for path in sorted(folder.rglob("*.zst")):
        digest.update(unpacker.decompress(path.read_bytes(), allow_extra_data=True))
    print(digest.hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
