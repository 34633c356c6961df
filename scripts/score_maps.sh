#!/usr/bin/env bash
# Score the map rules on photographs with object masks and with gaze: maps_*.json of msroi/results; a quarter of an hour.
# The contact sheets are kept in out/maps.
#   scripts/score_maps.sh [--commit]
# Needs things/ and fixations/ in $Q1NET_DATA.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs things/images things/masks fixations/images fixations/density

measure() { # NAME [ARGUMENT ...]: on both sets
    local set flags
    for set in things fixations; do
        flags=(--masks "$Q1NET_DATA/things/masks")
        [ $set = things ] || flags=(--density "$Q1NET_DATA/$set/density" --points "$Q1NET_DATA/$set/fixations.csv")
        record "msroi/results/maps_$set$1" msroi/evaluate_map.py --json --images "$Q1NET_DATA/$set/images" \
            "${flags[@]}" --out_path "out/maps/$set$1" "${@:2}"
    done
}

measure ""
# What each part brings.
measure _crop --no-baselines --method topk --center_crop
measure _head --no-baselines --method topk --method threshold --checkpoint save/mobilenet_v2/head/head.npz
measure _scale1 --no-baselines --method energy --scales 448
measure _scale3 --no-baselines --method energy --scales 192,448,768
echo "contact sheets: out/maps"
