#!/bin/sh
# Every photograph of a tree as a semantic JPEG, in a tree of the same shape: maps first, then the encoder.
# Interrupted, it goes on where it stopped when started again; photographs that changed are done again.
#   scripts/encode_folder.sh IMAGES OUT [flags of combine_images.py, e.g. -threshold_pct 0 -jpeg_compression 75]
# writes OUT/maps/map_<file name>.jpg, OUT/_original_<file name>_<quality>.jpg, OUT/_compressed_<file name>_.jpg, and
# OUT/summary.csv. --workers N, --scheduler ADDRESS (a Dask cluster) and --overwrite hold for the maps too. With -model 7
# predict_cls.py finds out first which JPEG quality each photograph has been through (OUT/source_qualities.jsonl), so
# that no bytes are spent above it; --source_quality N or auto saves that. PNG, TIFF and WebP files that once were JPEGs
# are recovered first (recover_jpeg.py, OUT/recovered), and kept as they were where the bytes suffice.
# PYTHON names the interpreter (default: python3). Exit code 1: some pictures failed, the rest is done.
set -u
case "${1:-}" in
    -h | --help) sed -n '2,${/^#/!q;s/^# \{0,1\}//;p}' "$0" && exit ;;
esac
if [ $# -lt 2 ]; then
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

workers= scheduler= overwrite= model= known= before=
for given in "$@"; do
    case $given in
        --workers=*) workers=${given#*=} ;;
        --scheduler=*) scheduler=${given#*=} ;;
        --overwrite) overwrite=yes ;;
        -model=* | --model=*) model=${given#*=} ;;
        --source_qualit*) known=yes ;;
    esac
    case $before in
        --workers) workers=$given ;;
        --scheduler) scheduler=$given ;;
        -model | --model) model=$given ;;
    esac
    before=$given
done

failed=0
"$python" "$root/msroi/generate_map.py" "$images" --output_directory "$out/maps" --recursive \
    ${workers:+"--workers=$workers"} ${scheduler:+"--scheduler=$scheduler"} ${overwrite:+--overwrite} || failed=$?
[ "$failed" -le 1 ] || exit "$failed"
if [ "$model" = 7 ] && [ -z "$known" ]; then
    found=$out/source_qualities.jsonl
    code=0
    "$python" "$root/classifier/predict_cls.py" --in_path "$images" --recursive --comp_type auto --json \
        ${workers:+"--workers=$workers"} ${scheduler:+"--scheduler=$scheduler"} > "$found.partial" || code=$?
    [ "$code" -le 1 ] || exit "$code"
    mv -- "$found.partial" "$found"
    set -- "$@" --source_qualities "$found"
    "$python" "$root/classifier/recover_jpeg.py" --in_path "$images" --recursive --out_path "$out/recovered" \
        ${workers:+"--workers=$workers"} ${scheduler:+"--scheduler=$scheduler"} > "$out/recovered.log" 2>&1 || code=$?
    [ "$code" -le 1 ] || exit "$code"
    set -- "$@" --recovered "$out/recovered"
fi
"$python" "$root/msroi/combine_images.py" -single 0 --images "$images" --maps "$out/maps" --recursive \
    --output_directory "$out" "$@" || failed=$?
exit "$failed"
