#!/usr/bin/env bash
# Build the documents as a site of static files, out/site/index.html, that opens without a server. Ends with an error where a
# page links to nothing. Needs the packages of the extra `docs`, which scripts/setup.sh installs with everything else.
#   scripts/build_docs.sh [flags of mkdocs build]
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export NO_MKDOCS_2_WARNING=1
exec "$python" -m mkdocs build --strict "$@"
