#!/usr/bin/env bash
# The paper's three rounds, as batch_train_jpeg_paper.sh makes them, for the larger network (K = 12).
#   batch_train_jpeg_paper_k12.sh TRAIN_FOLDER VAL_FOLDER WORK_FOLDER
case "${1:-}" in
    -h | --help) sed -n '2,${/^#/!q;s/^# \{0,1\}//;p}' "$0" && exit ;;
esac
COMP_TYPE=jpeg_paper_k12 exec "$(dirname "${BASH_SOURCE[0]}")/batch_train_jpeg_paper.sh" "$@"
