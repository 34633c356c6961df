# Sourced by the bash scripts of this folder, from anywhere: `. "$(dirname "${BASH_SOURCE[0]}")/common.sh"`.
# --help prints a script's opening comment. Results are written below out/, in a tree like the repository's; with
# --commit they replace those that the repository shows. Other arguments stay in "$@".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=${0##*/}
results=out
data_folders='$Q1NET_DATA names a folder that holds what a script needs of
  kodak/          the 24 photographs of the Kodak set as PNG (r0k.us/graphics/kodak), for tests only
  pristine_train/ photographs that were never JPEG files (PNG, lossless WebP ...), to train on
  pristine_val/   others, to validate on
  things/         images/ NAME.jpg with masks/ NAME.png, white where an object is
  fixations/      images/ NAME.jpg with density/ NAME.png, where people looked, and fixations.csv
  caltech101/     a folder a class'
rest=()
for word in "$@"; do
    case $word in
        -h | --help)
            sed -n '2,${/^#/!q;s/^# \{0,1\}//;p}' "scripts/$name"
            ! grep -q Q1NET_DATA "scripts/$name" || printf '\n%s\n' "$data_folders"
            exit
            ;;
        --commit) results=. ;;
        *) rest+=("$word") ;;
    esac
done
set -- ${rest[@]+"${rest[@]}"}
. ./env.sh
python=${PYTHON:-.venv/bin/python}

needs() { # FOLDER ...: which have to be in $Q1NET_DATA
    local folder
    for folder in "$@"; do
        if [ -z "${Q1NET_DATA:-}" ] || [ ! -d "$Q1NET_DATA/$folder" ]; then
            echo "$name: there is no ${Q1NET_DATA:-\$Q1NET_DATA}/$folder; set Q1NET_DATA to a folder with it (see --help)" >&2
            exit 2
        fi
    done
    export Q1NET_DATA
}

record() { # RECORD COMMAND [ARGUMENT ...]: keep what a command prints as RECORD.json below $results
    "$python" scripts/record.py "$results/$1.json" "${@:2}"
}

pictures() { # [FOLDER]: set $folder to it, or to kodak of $Q1NET_DATA, and $set to what it is called
    if [ $# -eq 0 ]; then
        needs kodak
        set -- "$Q1NET_DATA/kodak"
    elif [ ! -d "$1" ]; then
        echo "$name: $1 is no folder; give a folder of photographs" >&2
        exit 2
    fi
    folder=$1 set=$(basename "$1")
}
