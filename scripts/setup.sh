#!/usr/bin/env bash
# Make the virtual environment .venv with everything (2.9 GB), or .venv-predict with what prediction needs (--predict).
# Repeatable: does nothing when the environment is already as the requirements say.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=.venv requirements=requirements.txt
if [ "${1:-}" = --predict ]; then
    folder=.venv-predict requirements=requirements-predict.txt
elif [ $# -gt 0 ]; then
    echo "setup.sh: unknown argument $1; known is --predict" >&2
    exit 2
fi

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.12 python3.11 python3 python; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "setup.sh: Python 3.11 or 3.12 is needed; install one, or name it: PYTHON=/path/to/python3.12 $0" >&2
    exit 2
}

# The stamp holds what was installed and from where; a moved clone or a changed requirement is set up again.
wanted="$(pwd) $requirements $(cat requirements*.txt pyproject.toml | cksum)"
if [ -x "$folder/bin/python" ] && [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$wanted" ]; then
    echo "setup.sh: $folder is ready" >&2
    exit 0
fi
python=$(find_python)
echo "setup.sh: making $folder with $("$python" --version) and installing $requirements" >&2
"$python" -m venv "$folder"
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"; then
    echo "setup.sh: the installation failed (see above); with a network or a package cache, run it again" >&2
    exit 1
fi
echo "$wanted" > "$folder/.stamp"
echo "setup.sh: $folder is ready" >&2
