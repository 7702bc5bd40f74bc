#!/bin/sh
# Make .venv from the lock files, unless the one that is there was made from the same files by the same Python.
# Usage: tools/venv.sh [--to-run] [PYTHON]
# With --to-run it gets what Curfew and its demo need, and no tools for tests; one that has these as well is left as it is.
set -eu
cd "$(dirname "$0")/.."
oldest=3.11
locks="requirements-dev.lock"
if [ "${1:-}" = --to-run ]; then
    shift
    locks="requirements.lock requirements-build.lock"
fi

is_new_enough() {
    "$1" -c "import sys; sys.exit(sys.version_info < tuple(map(int, '$oldest'.split('.'))))" 2>/dev/null
}

python=
for candidate in ${1:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if is_new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    if [ -n "${1:-}" ]; then
        echo "$1 is not Python $oldest or newer." >&2
    else
        echo "Curfew needs Python $oldest or newer, and there is none on PATH (python3 is $(python3 --version 2>&1 || true))." >&2
        echo "Install one, or name one that is elsewhere: make venv PYTHON=/path/to/python3.12" >&2
    fi
    exit 1
fi

# What the environment is made from: which Python, which packages, which commands of our own, and where it stands.
made_from() {
    "$python" - "$@" pyproject.toml <<'END'
import hashlib, pathlib, sys
made_from = [sys.version.encode(), sys.base_prefix.encode(), str(pathlib.Path.cwd()).encode()]
made_from += [pathlib.Path(name).read_bytes() for name in sys.argv[1:]]
print(hashlib.sha256(b"\0".join(made_from)).hexdigest())
END
}
stamp=.venv/made-from
is=$(cat "$stamp" 2>/dev/null || true)
wanted=$(made_from $locks)
if [ "$is" = "$wanted" ] || [ "$is" = "$(made_from requirements-dev.lock)" ]; then
    exit 0
fi

echo "Making .venv with $("$python" --version) from $locks; about half a minute, once."
rm -f "$stamp"
# What is there is brought up to date where it can be: something may be running from it.
version() { "$1" -c 'import sys; print(sys.version, sys.base_prefix)' 2>/dev/null || true; }
if [ "$(version .venv/bin/python)" != "$(version "$python")" ] || ! grep -q "^#!$PWD/.venv/" .venv/bin/pip 2>/dev/null; then
    if ! "$python" -m venv --clear .venv; then
        echo "$python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi
pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }
for lock in $locks; do
    pip install --require-hashes --requirement "$lock"
done
pip install --no-build-isolation --no-deps --editable .
echo "$wanted" >"$stamp"
