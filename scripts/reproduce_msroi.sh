#!/usr/bin/env bash
# The paper's Kodak table with our numbers: maps by the default method, rule 3, at most 1 % larger than plain JPEG of
# quality 50, all metrics: kodak_rule3.json of msroi/results; logs, averages, plots and CSV in out/kodak_rule3.
#   scripts/reproduce_msroi.sh [--commit] [FOLDER]
# Needs kodak/ in $Q1NET_DATA, or another FOLDER of photographs, whose record is called by it. MAPS names a folder of
# ready maps, map_<file name>.jpg or .png, to use instead of making them. The other results of the family:
# train_caltech101.sh (the trained head), score_maps.sh (map scores).
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
pictures "$@"
out=out/${set}_rule3
kept=$results/msroi/results
maps=${MAPS:-$out/maps}
mkdir -p "$out" "$kept"
[ -n "${MAPS:-}" ] || "$python" msroi/generate_map.py "$folder" --output_directory "$maps"
combine() {
    "$python" msroi/combine_images.py -single 0 --images "$folder" --maps "$maps" -model 3 -threshold_pct 1 \
        -jpeg_compression 50 -print_metrics 1 --json --overwrite "$@"
}
combine --output_directory "$out/jpeg" >"$out/measured.jsonl"
# The mixture before its size is met, saved at quality 100: what the map asks for, whatever it costs.
combine --output_directory "$out/mixture" -find_best 0 | grep '"quality": 100,' >"$out/mixture.jsonl"
"$python" msroi/read_log.py "$out/measured.jsonl" --output_directory "$out"
"$python" scripts/record_msroi.py "$out/measured.jsonl" "$out/mixture.jsonl" "$kept/${set}_rule3.json"
# The overlay that the documents show.
"$python" msroi/generate_map.py sample_image/chelsea.png --output_directory "$out/sample"
cp "$out/sample/overlayed_heatmap.png" "$kept/chelsea_overlay.png"
echo "plots: $out/plot_*.png; the overlay of the documents: $kept/chelsea_overlay.png"
