#!/usr/bin/env bash
# The trained MSROI head of save/mobilenet_v2/head: train it on Caltech-101, pack it, score it as it is shipped.
# Needs $Q1NET_DATA/caltech101 (class folders); about five minutes on two cores. A stopped run goes on.
#   scripts/train_caltech101.sh [WORK_FOLDER]     (default: out/caltech101)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${Q1NET_DATA:?set Q1NET_DATA to a folder with caltech101/}"
export Q1NET_DATA
. ./env.sh
export PYTHON=${PYTHON:-.venv/bin/python}
work=${1:-out/caltech101}
epochs=15
head=save/mobilenet_v2/head

EPOCHS=$epochs msroi/batch_train.sh "$Q1NET_DATA/caltech101" "$work" \
    --loss softmax --epsilon 1e-7 --learning_rate 3e-4 --schedule cosine --warmup_steps 48
"$PYTHON" scripts/pack_head.py "$work/models/model-$epochs" $head
cp "$work/out/history_msroi.csv" msroi/results/caltech101_history.csv
"$PYTHON" scripts/record.py msroi/results/caltech101.json msroi/train.py \
    --in_path "$work" --evaluate $head/head.npz --loss softmax --json
