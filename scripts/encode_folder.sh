#!/bin/sh
# Every photograph of a folder as a semantic JPEG: maps first, then the encoder. Interrupted, it goes on where it
# stopped when started again.
#   scripts/encode_folder.sh IMAGES OUT [flags of combine_images.py, e.g. -threshold_pct 0 -jpeg_compression 75]
# writes OUT/maps/map_<file name>.jpg, OUT/_original_<file name>_<quality>.jpg, OUT/_compressed_<file name>_.jpg.
# PYTHON names the interpreter (default: python3). Exit code 1: some pictures failed, the rest is done.
set -u
if [ $# -lt 2 ] || [ "$1" = "-h" ] || [ "$1" = "--help" ]; then
    echo "usage: encode_folder.sh IMAGES OUT [flags of combine_images.py]" >&2
    exit 2
fi
images=$1
out=$2
shift 2
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
python=${PYTHON:-python3}
# A folder that begins with a dash would be read as a flag.
case $images in -*) images=./$images ;; esac
case $out in -*) out=./$out ;; esac

failed=0
"$python" "$root/msroi/generate_map.py" "$images" --output_directory "$out/maps" || failed=$?
[ "$failed" -le 1 ] || exit "$failed"
"$python" "$root/msroi/combine_images.py" -single 0 --images "$images" --maps "$out/maps" --output_directory "$out" "$@" ||
    failed=$?
exit "$failed"
