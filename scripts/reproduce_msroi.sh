#!/bin/sh
# The paper's Kodak table with our numbers: maps by the default method, rule 3, at most 1 % larger than plain JPEG of
# quality 50, all metrics. Needs the 24 Kodak PNGs in $Q1NET_DATA/kodak.
#   scripts/reproduce_msroi.sh [OUT]     (default: out/kodak_rule3)
# writes OUT/kodak.jsonl, averages, plots and CSV into OUT, and msroi/results/kodak_rule3.json. MAPS names a folder of
# ready maps, map_<file name>.jpg or .png, to use instead of making them; RESULT another place for the result.
# The other results of the family: scripts/train_caltech101.sh (the trained head), scripts/score_maps.sh (map scores).
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
out=${1:-out/kodak_rule3}
kodak=${Q1NET_DATA:?set Q1NET_DATA to a folder with kodak/}/kodak
maps=${MAPS:-$out/maps}
result=${RESULT:-$root/msroi/results/kodak_rule3.json}
python=${PYTHON:-python3}
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
if [ ! -d "$kodak" ]; then
    echo "reproduce_msroi.sh: $kodak does not exist; set Q1NET_DATA to the folder that holds kodak/" >&2
    exit 2
fi
mkdir -p "$out"
[ -n "${MAPS:-}" ] || "$python" "$root/msroi/generate_map.py" "$kodak" --output_directory "$maps"
combine() {
    "$python" "$root/msroi/combine_images.py" -single 0 --images "$kodak" --maps "$maps" -model 3 -threshold_pct 1 \
        -jpeg_compression 50 -print_metrics 1 --json --overwrite "$@"
}
combine --output_directory "$out/jpeg" >"$out/kodak.jsonl"
# The mixture before its size is met, saved at quality 100: what the map asks for, whatever it costs.
combine --output_directory "$out/mixture" -find_best 0 | grep '"quality": 100,' >"$out/mixture.jsonl"
"$python" "$root/msroi/read_log.py" "$out/kodak.jsonl" --output_directory "$out"
"$python" "$root/scripts/record_msroi.py" "$out/kodak.jsonl" "$out/mixture.jsonl" "$result"
# The overlay that the README shows.
"$python" "$root/msroi/generate_map.py" "$root/sample_image/chelsea.png" --output_directory "$out/sample"
cp "$out/sample/overlayed_heatmap.png" "$root/msroi/results/chelsea_overlay.png"
