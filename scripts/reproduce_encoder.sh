#!/usr/bin/env bash
# Encoders on the same bytes: plain JPEG, mozjpeg, jpegli, the original's rule 3, model 7 at three strengths, without a
# map, with all of the picture preferred and with another picture's map: encoder_*.json of msroi/results, and the
# curves over four qualities, encoder_things_rates.png. Takes hours; stopped, it goes on where it stopped.
#   scripts/reproduce_encoder.sh [--commit] [flags of record_encoder.py, e.g. --every 10 --qualities 50]
# Needs things/ (true masks) and kodak/ in $Q1NET_DATA. MAPS names a folder that holds things/ and kodak/ with ready
# maps; without it they are made in out/encoder/maps.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs things/images things/masks kodak
maps=${MAPS:-out/encoder/maps}
kept=$results/msroi/results
if [ -z "${MAPS:-}" ]; then
    "$python" msroi/generate_map.py "$Q1NET_DATA/things/images" --output_directory "$maps/things"
    "$python" msroi/generate_map.py "$Q1NET_DATA/kodak" --output_directory "$maps/kodak"
fi
things() { # NAME [FLAG ...]
    "$python" scripts/record_encoder.py "$Q1NET_DATA/things/images" "$kept/encoder_$1.json" \
        --masks "$Q1NET_DATA/things/masks" --cache "out/encoder/$1.jsonl" "${@:2}"
}
things things "$@"
things things_maps --maps "$maps/things" \
    --encoders flat,everywhere,shuffled,ours_50,ours_wide,ours_narrow,shuffled_wide,shuffled_narrow "$@"
"$python" scripts/record_encoder.py "$Q1NET_DATA/kodak" "$kept/encoder_kodak.json" --maps "$maps/kodak" \
    --cache out/encoder/kodak.jsonl "$@"
things things_rates --encoders mozjpeg,jpegli,flat,ours_50 "$@" --qualities 30,50,75,90
"$python" scripts/draw_encoder.py "$kept/encoder_things_rates.json" "$kept/encoder_things_rates.png"
