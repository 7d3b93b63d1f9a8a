#!/bin/sh
# Puts the locked dependencies and the hub itself into .venv: `scripts/setup.sh base` (to run) or `dev` (to test).
# Uses uv where it is installed, else a virtual environment and pip. As root it installs python3-venv when that is missing.
set -eu
kind=$1
lock=requirements/$kind.txt
stamp=.venv/.$kind
want=$(cat "$lock" requirements/build.txt pyproject.toml | sha256sum)
[ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && exit 0

export UV_PYTHON_DOWNLOADS=never
python=${PYTHON:-python3}
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$python" .venv
    echo "Installing the locked dependencies ($kind) …"
    uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock" -r requirements/build.txt
    uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
else
    if [ ! -x .venv/bin/pip ]; then
        rm -rf .venv
        if ! "$python" -m venv .venv 2>/dev/null; then
            rm -rf .venv
            if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
                echo "Installing python3-venv …"
                apt-get install -y -qq python3-venv >/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
                "$python" -m venv .venv
            else
                echo "Python's venv module is missing. Install it with:  sudo apt-get install python3-venv" >&2
                exit 1
            fi
        fi
    fi
    echo "Installing the locked dependencies ($kind) …"
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" -r requirements/build.txt
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "$want" > "$stamp"
