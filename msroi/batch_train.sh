#!/usr/bin/env bash
# From class folders to a trained MSROI head: tables, training, score on the test split.
#   batch_train.sh CLASS_FOLDER WORK_FOLDER [options of train.py]
# A killed run goes on where it stopped; a finished one is only scored again. EPOCHS (default 200) can be set.
set -euo pipefail
case "${1:-}" in
    -h | --help) sed -n '2,${/^#/!q;s/^# \{0,1\}//;p}' "$0" && exit ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ $# -lt 2 ]; then
    echo "usage: $0 CLASS_FOLDER WORK_FOLDER [options of train.py]" >&2
    exit 2
fi
classes=$1 work=$2
shift 2
python=${PYTHON:-python3}
epochs=${EPOCHS:-200}
. "$here/../env.sh"
mkdir -p "$work"

if [ ! -e "$work/classes.csv" ]; then
    # Exit code 1 says that some pictures were left out; the tables are good.
    "$python" "$here/prepare_data.py" --in_path "$classes" --out_path "$work" || [ $? -eq 1 ]
fi
if [ ! -e "$work/models/model-$epochs" ] || grep -q '"finished": false' "$work/models/last/run.json"; then
    "$python" "$here/train.py" --in_path "$work" --n_epochs "$epochs" \
        --model_path "$work/models" --out_path "$work/out" "$@"
fi
if [ -e "$work/models/model-$epochs" ]; then
    "$python" "$here/train.py" --in_path "$work" --evaluate "$work/models/model-$epochs" "$@"
fi
