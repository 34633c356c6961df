#!/usr/bin/env bash
# The paper's three rounds: make patches from photographs, train, make other patches, train on; K = 8.
#   batch_train_jpeg_paper.sh TRAIN_FOLDER VAL_FOLDER WORK_FOLDER
# NUM_SAMPLES places a quality (default 800: 5.12 million patches a round, 3.9 GB) and EPOCHS (50) can be set.
set -euo pipefail
case "${1:-}" in
    -h | --help) sed -n '2,${/^#/!q;s/^# \{0,1\}//;p}' "$0" && exit ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
comp_type=${COMP_TYPE:-jpeg_paper}
if [ $# -ne 3 ]; then
    echo "usage: $0 TRAIN_FOLDER VAL_FOLDER WORK_FOLDER" >&2
    exit 2
fi
train=$1 validation=$2 work=$3
python=${PYTHON:-python3}
. "$here/env.sh"
mkdir -p "$work"

"$python" "$here/gen_data.py" --comp_type "$comp_type" --in_path "$validation" --out_path "$work" \
    --hdf5_name val.hdf5 --num_samples "${VAL_SAMPLES:-40}" --seed 1000
batches=(256 4096 4096)
base=()
for round in 0 1 2; do
    # A finished round is not done again, an unfinished one goes on where it stopped.
    if [ ! -e "$work/round_$round.done" ]; then
        "$python" "$here/gen_data.py" --comp_type "$comp_type" --in_path "$train" --out_path "$work" \
            --hdf5_name train.hdf5 --num_samples "${NUM_SAMPLES:-800}" --seed "$round"
        "$python" "$here/train.py" --comp_type "$comp_type" --hdf5_train_path "$work/train.hdf5" \
            --hdf5_val_path "$work/val.hdf5" --batch_size "${batches[$round]}" --epochs "${EPOCHS:-50}" \
            --seed "$round" --save_path "$work/save" --out_path "$work/out_$round" "${base[@]}"
        [ "$("$python" -c 'import json,sys; print(json.load(open(sys.argv[1]))["finished"])' "$work/save/last/run.json")" = True ] || exit 0
        touch "$work/round_$round.done"
    fi
    base=(--base_weights "$work/save/$comp_type")
done
"$python" "$here/to_tflite.py" --comp_type "$comp_type" --save_path "$work/save"
"$python" "$here/calibrate_cls.py" --comp_type "$comp_type" --save_path "$work/save" --in_path "$validation"
"$python" "$here/to_tflite.py" --comp_type "$comp_type" --save_path "$work/save" --quantize all --in_path "$validation"
echo "weights, threshold and .tflite are in $work/save/$comp_type"
