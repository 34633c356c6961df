#!/usr/bin/env bash
# The benchmark of truth: every estimator in every condition, with their scores, as classifier/results/conditions.json.
# Needs Q1NET_DATA: a folder with kodak/ (24 PNG, test only). Estimators whose weights are not there, and ImageMagick's
# identify where it is not installed, are left out with a line. Arguments go on to measure_accuracy.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${Q1NET_DATA:?set Q1NET_DATA to a folder with kodak/}"
export Q1NET_DATA
. ./env.sh
exec "${PYTHON:-.venv/bin/python}" scripts/measure_accuracy.py --in_path "$Q1NET_DATA/kodak" "${@:---qualities=5-95:30}"
