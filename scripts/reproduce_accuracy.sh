#!/usr/bin/env bash
# Every estimator in every condition on Kodak, with their scores: conditions.json of classifier/results.
#   scripts/reproduce_accuracy.sh [--commit] [flags of measure_accuracy.py]
# Needs kodak/ in $Q1NET_DATA. Estimators whose weights are not there, and ImageMagick's identify where it is not
# installed, are left out with a line.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs kodak
[ $# -gt 0 ] || set -- --qualities=5-95:30
"$python" scripts/measure_accuracy.py --in_path "$Q1NET_DATA/kodak" \
    --out "$results/classifier/results/conditions.json" "$@"
