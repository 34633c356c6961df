#!/usr/bin/env bash
# Set everything up and run style, import layers, types and the fast tests; --all adds the slow ones. Other arguments go to pytest.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
scripts/setup.sh
marks=(-m "not slow")
if [ "${1:-}" = --all ]; then
    marks=()
    shift
fi
export TF_CPP_MIN_LOG_LEVEL=2 OPENBLAS_NUM_THREADS=1 # a test process a core
.venv/bin/ruff check .
.venv/bin/ruff format --check --quiet .
.venv/bin/lint-imports
.venv/bin/mypy
.venv/bin/python -m pytest -n auto --dist worksteal "${marks[@]}" "$@"
