#!/usr/bin/env bash
# The paper's Figure 4, confusion matrices of a MobileNetV2 regressor, block corners and the paper's network, and a fourth
# of auto, at all 100 qualities: figure4_kodak.png and .json of classifier/results.
#   scripts/reproduce_figure4.sh [--commit] [FOLDER ...]
# Needs kodak/ in $Q1NET_DATA, or DIV2K, the folder of its 100 validation pictures (DIV2K_valid_HR), which makes
# figure4_div2k; with both it draws both. Of another FOLDER of photographs: figure4_FOLDER. AUTO_QUALITIES=1-100:2 asks auto at every second quality only. A run that was
# broken off goes on; remove out/figure4_* to measure all of it again.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[ $# -gt 0 ] || [ -n "${DIV2K:-}" ] || needs kodak

figure() { # NAME FOLDER
    local out=out/figure4_$1 kept=$results/classifier/results/figure4_$1 comp_type qualities made=()
    for comp_type in mobilenet_v2 block_corners jpeg_paper auto; do
        qualities=1-100
        [ "$comp_type" = auto ] && qualities=${AUTO_QUALITIES:-1-100}
        made+=("$out/$comp_type")
        "$python" scripts/record.py --once "$out/$comp_type.json" classifier/evaluate_cls.py --in_path "$2" \
            --comp_type "$comp_type" --qualities "$qualities" --json --out_path "$out/$comp_type"
    done
    "$python" scripts/draw_figure4.py "$kept.png" "$kept.json" "${made[@]}"
    echo "$kept.png"
}

for given in "$@"; do
    pictures "$given"
    figure "$set" "$folder"
done
[ $# -eq 0 ] || exit 0
if [ -d "${Q1NET_DATA:-}/kodak" ]; then
    figure kodak "$Q1NET_DATA/kodak"
fi
if [ -n "${DIV2K:-}" ]; then
    figure div2k "$DIV2K"
fi
