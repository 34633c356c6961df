#!/usr/bin/env bash
# Every estimator in every condition on Kodak, with their scores: conditions.json of classifier/results; on the photographs
# of another FOLDER: conditions_FOLDER.json.
#   scripts/reproduce_accuracy.sh [--commit] [FOLDER] [flags of measure_accuracy.py]
# Needs kodak/ in $Q1NET_DATA, or a FOLDER. Estimators whose weights are not there, and ImageMagick's identify where it is not
# installed, are left out with a line.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
    pictures "$1"
    shift
else
    pictures
fi
[ $# -gt 0 ] || set -- --qualities=5-95:30
ending=_$set
[ "$set" != kodak ] || ending=
"$python" scripts/measure_accuracy.py --in_path "$folder" --out "$results/classifier/results/conditions$ending.json" "$@"
