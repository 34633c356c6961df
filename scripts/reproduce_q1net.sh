#!/usr/bin/env bash
# Measure the shipped quality networks: the records of classifier/results, and with --commit the tables made of them.
#   scripts/reproduce_q1net.sh [--commit]
# Needs kodak/ and pristine_val/ in $Q1NET_DATA.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs kodak pristine_val
out=out/reproduce_q1net
kept=$results/classifier/results

measure() { # NAME FOLDER [ARGUMENT ...]
    record "classifier/results/$1" classifier/evaluate_cls.py --in_path "$Q1NET_DATA/$2" --json --out_path "$out/$1" "${@:3}"
}

measure kodak kodak
cp "$out/kodak/confusion_matrix.png" "$kept/kodak_confusion_matrix.png"
measure kodak_uncorrected kodak --uncorrected
measure kodak_offset kodak --crop_offset random
measure kodak_3_5 kodak --crop_offset 3,5 --qualities 5-95:10
measure kodak_5_95 kodak --qualities 5-95:10
measure kodak_int8 kodak --backend int8
measure pristine_val pristine_val
measure kodak_weighted kodak --fusion weighted_median
measure kodak_weighted_offset kodak --fusion weighted_median --crop_offset random
measure kodak_k12 kodak --comp_type jpeg_paper_k12
measure kodak_k12_offset kodak --comp_type jpeg_paper_k12 --crop_offset random
measure kodak_k12_int8 kodak --comp_type jpeg_paper_k12 --backend int8
measure kodak_lattice kodak --comp_type jpeg_lattice --qualities 1-100:2
measure kodak_lattice_offset kodak --comp_type jpeg_lattice --crop_offset random --qualities 1-100:6
accuracy() {
    "$python" scripts/measure_accuracy.py --in_path "$Q1NET_DATA/kodak" --out "$kept/$1.json" "${@:2}"
}
accuracy conditions --qualities=5-95:30
accuracy conditions_lattice --qualities=1-100:6 --conditions "crop 64" "crop 128" "twice, aligned" "twice, shifted" \
    --estimators jpeg_lattice auto --workers 1
"$python" scripts/measure_maps.py --in_path "$Q1NET_DATA/pristine_val" --out "$kept/maps.json"
"$python" scripts/measure_splices.py --images "$Q1NET_DATA/pristine_val" --out "$kept/splices.json"

[ -f "$kept/benchmark.json" ] || "$python" scripts/benchmark.py --out "$kept/benchmark.json" \
    --parts cold_start warm_estimate lattice folder gen_data training evaluation
echo "picture: $kept/kodak_confusion_matrix.png"
[ "$results" = out ] || "$python" scripts/tables.py
