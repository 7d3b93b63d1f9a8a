#!/bin/sh
# Resolves pyproject.toml anew into hashed requirement files that record no address. Needs uv.
set -eu
options="--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header --python-version 3.11 --quiet"
uv pip compile pyproject.toml --group dev $options -o requirements/dev.txt
uv pip compile pyproject.toml -c requirements/dev.txt $options -o requirements/base.txt
uv pip compile requirements/build.in -c requirements/dev.txt $options -o requirements/build.txt
