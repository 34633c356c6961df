#!/bin/sh
# Encoders on the same bytes: plain JPEG, mozjpeg, jpegli, the original's rule 3, model 7 at three strengths, without a
# map, with all of the picture preferred and with another picture's map, on `things` (true masks, our maps) and Kodak
# (our maps) of $Q1NET_DATA. Takes hours; stopped, it goes on where it
# stopped.
#   scripts/reproduce_encoder.sh [OUT] [flags of record_encoder.py, e.g. --every 10 --qualities 50]
# (default: out/encoder) writes OUT/encoder_things.json, encoder_things_maps.json, encoder_kodak.json, curves over four
# qualities as encoder_things_rates.json and .png, and copies all to msroi/results. MAPS names a folder that holds
# things/ and kodak/ with ready maps.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
out=${1:-out/encoder}
[ $# -eq 0 ] || shift
data=${Q1NET_DATA:?set Q1NET_DATA to a folder with things/ and kodak/}
maps=${MAPS:-$out/maps}
python=${PYTHON:-python3}
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
for folder in "$data/things/images" "$data/things/masks" "$data/kodak"; do
    if [ ! -d "$folder" ]; then
        echo "reproduce_encoder.sh: $folder does not exist; set Q1NET_DATA to the folder that holds it" >&2
        exit 2
    fi
done
mkdir -p "$out"
if [ -z "${MAPS:-}" ]; then
    "$python" "$root/msroi/generate_map.py" "$data/things/images" --output_directory "$maps/things"
    "$python" "$root/msroi/generate_map.py" "$data/kodak" --output_directory "$maps/kodak"
fi
record() {
    "$python" "$root/scripts/record_encoder.py" "$@"
}
record "$data/things/images" "$out/encoder_things.json" --masks "$data/things/masks" "$@"
record "$data/things/images" "$out/encoder_things_maps.json" --masks "$data/things/masks" --maps "$maps/things" \
    --encoders flat,everywhere,shuffled,ours_50,ours_wide,ours_narrow,shuffled_wide,shuffled_narrow "$@"
record "$data/kodak" "$out/encoder_kodak.json" --maps "$maps/kodak" "$@"
record "$data/things/images" "$out/encoder_things_rates.json" --masks "$data/things/masks" \
    --encoders mozjpeg,jpegli,flat,ours_50 "$@" --qualities 30,50,75,90
"$python" "$root/scripts/draw_encoder.py" "$out/encoder_things_rates.json" "$root/msroi/results/encoder_things_rates.png"
cp "$out"/encoder_*.json "$root/msroi/results/"
