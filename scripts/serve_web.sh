#!/usr/bin/env bash
# Serve the page that estimates in the browser to this machine alone, and print its address; Ctrl-C ends it.
#   scripts/serve_web.sh [PORT]     # default: 8000, or a free one where that is taken
# Builds out/web first where it is missing or older than its sources (see build_web.sh).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
built=out/web
if [ ! -e "$built/index.html" ] || [ -n "$(find web scripts/build_web.sh save/jpeg_paper -type f -newer "$built/index.html" -print -quit)" ]; then
    scripts/build_web.sh "$built"
fi
[ -x "$python" ] || python=python3
exec "$python" scripts/serve_folder.py "$built" "$@"
