# Kept for those who know the original's layout: source this or ../env.sh.
# shellcheck shell=sh disable=SC1091,SC3028,SC3054
if [ -n "${BASH_SOURCE:-}" ]; then
    . "$(dirname "$BASH_SOURCE")/../env.sh"
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval '. "${${(%):-%x}:h}/../env.sh"'
elif [ -f ../env.sh ]; then
    . ../env.sh
else
    . ./env.sh
fi
