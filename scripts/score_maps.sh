#!/usr/bin/env bash
# Score the map rules on photographs with object masks and with gaze, and renew msroi/results/maps_*.json.
# Needs $Q1NET_DATA with things/ (images, masks) and fixations/ (images, density, fixations.csv); a quarter of an hour.
#   scripts/score_maps.sh [OUT]     (default: out/maps; the contact sheets are kept there)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${Q1NET_DATA:?set Q1NET_DATA to a folder with things/ and fixations/}"
export Q1NET_DATA
. ./env.sh
python=${PYTHON:-.venv/bin/python}
out=${1:-out/maps}

measure() { # NAME [ARGUMENT ...]: on both sets
    local name=$1
    shift
    "$python" scripts/record.py "msroi/results/maps_things$name.json" msroi/evaluate_map.py --json \
        --images "$Q1NET_DATA/things/images" --masks "$Q1NET_DATA/things/masks" --out_path "$out/things$name" "$@"
    "$python" scripts/record.py "msroi/results/maps_fixations$name.json" msroi/evaluate_map.py --json \
        --images "$Q1NET_DATA/fixations/images" --density "$Q1NET_DATA/fixations/density" \
        --points "$Q1NET_DATA/fixations/fixations.csv" --out_path "$out/fixations$name" "$@"
}

measure ""
# What each part brings.
measure _crop --no-baselines --method topk --center_crop
measure _head --no-baselines --method topk --method threshold --checkpoint save/mobilenet_v2/head/head.npz
measure _scale1 --no-baselines --method energy --scales 448
measure _scale3 --no-baselines --method energy --scales 192,448,768
