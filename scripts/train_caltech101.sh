#!/usr/bin/env bash
# The trained MSROI head, head.npz of save/mobilenet_v2/head: train it on Caltech-101, pack it, score it as it is
# shipped; history and scores are caltech101* of msroi/results. About five minutes on two cores. A stopped run goes on.
#   scripts/train_caltech101.sh [--commit] [WORK_FOLDER]     (default: out/caltech101)
# Needs caltech101/ in $Q1NET_DATA.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
needs caltech101
export PYTHON=$python
work=${1:-out/caltech101}
epochs=15
head=$results/save/mobilenet_v2/head

EPOCHS=$epochs msroi/batch_train.sh "$Q1NET_DATA/caltech101" "$work" \
    --loss softmax --epsilon 1e-7 --learning_rate 3e-4 --schedule cosine --warmup_steps 48
"$python" scripts/pack_head.py "$work/models/model-$epochs" "$head"
record msroi/results/caltech101 msroi/train.py --in_path "$work" --evaluate "$head/head.npz" --loss softmax --json
cp "$work/out/history_msroi.csv" "$results/msroi/results/caltech101_history.csv"
echo "history: $results/msroi/results/caltech101_history.csv; curves: $work/out/history_msroi.png"
