#!/usr/bin/env bash
# The paper's Figure 4, confusion matrices of a MobileNetV2 regressor, block corners and the paper's network, and a fourth
# of auto: over Kodak at all 100 qualities and, where DIV2K is set to a folder of its validation pictures, over DIV2K.
# Needs Q1NET_DATA: a folder with kodak/ (24 PNG). AUTO_QUALITIES=1-100:2 asks auto at every second quality only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${Q1NET_DATA:?set Q1NET_DATA to a folder with kodak/}"
export Q1NET_DATA
. ./env.sh
python=${PYTHON:-.venv/bin/python}
estimators=(mobilenet_v2 block_corners jpeg_paper auto)

figure() { # NAME FOLDER
    local name=$1 folder=$2 comp_type qualities out=out/figure4_$1 made=()
    mkdir -p "$out"
    for comp_type in "${estimators[@]}"; do
        qualities=1-100
        [ "$comp_type" = auto ] && qualities=${AUTO_QUALITIES:-1-100}
        made+=("$out/$comp_type")
        # A run that was broken off goes on here; remove $out to measure all of it again.
        [ -f "$out/$comp_type.json" ] && continue
        "$python" scripts/record.py "$out/$comp_type.json" classifier/evaluate_cls.py --in_path "$folder" \
            --comp_type "$comp_type" --qualities "$qualities" --json --out_path "$out/$comp_type"
    done
    "$python" scripts/draw_figure4.py "classifier/results/figure4_$name.png" "classifier/results/figure4_$name.json" \
        "${made[@]}"
}

figure kodak "$Q1NET_DATA/kodak"
if [ -n "${DIV2K:-}" ]; then
    figure div2k "$DIV2K"
fi
