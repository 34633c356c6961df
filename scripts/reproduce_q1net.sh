#!/usr/bin/env bash
# Measure the shipped quality networks and renew the tables: Kodak (test only) and the validation photographs.
# Needs Q1NET_DATA: a folder with kodak/ (24 PNG) and pristine_val/ (never-compressed photographs).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${Q1NET_DATA:?set Q1NET_DATA to a folder with kodak/ and pristine_val/}"
export Q1NET_DATA
. ./env.sh
python=${PYTHON:-.venv/bin/python}
out=out/reproduce_q1net

measure() { # NAME FOLDER [ARGUMENT ...]
    local name=$1 folder=$2
    shift 2
    "$python" scripts/record.py "classifier/results/$name.json" classifier/evaluate_cls.py \
        --in_path "$Q1NET_DATA/$folder" --json --out_path "$out/$name" "$@"
}

measure kodak kodak
cp "$out/kodak/confusion_matrix.png" classifier/results/kodak_confusion_matrix.png
cp "$out/kodak/by_quality.csv" classifier/results/kodak_by_quality.csv
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
scripts/reproduce_accuracy.sh
scripts/reproduce_accuracy.sh --qualities=1-100:6 --conditions "crop 64" "crop 128" "twice, aligned" "twice, shifted" \
    --estimators jpeg_lattice auto --workers 1 --out classifier/results/conditions_lattice.json
"$python" scripts/measure_maps.py --in_path "$Q1NET_DATA/pristine_val"

say() { # NAME COMMAND: keep a command and what it prints, for the documents
    { echo "\$ $2" && PATH="$PWD/.venv/bin:$PATH" bash -c "$2"; } > "classifier/results/$1.txt"
}
say demo scripts/demo.sh
say predict 'python3 classifier/predict_cls.py --in_path sample_image/coffee_jpeg_q20.png'
say predict_json 'python3 classifier/predict_cls.py --in_path sample_image/coffee_jpeg_q20.png --json'
say auto 'python3 classifier/predict_cls.py --in_path sample_image/coffee_jpeg_q20.png --comp_type auto --explain'
[ -f classifier/results/benchmark.json ] || "$python" scripts/benchmark.py --out classifier/results/benchmark.json \
    --parts cold_start warm_estimate lattice folder gen_data training evaluation
"$python" scripts/tables.py
