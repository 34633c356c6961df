# Source this file (bash, zsh, dash; from any folder): it makes the commands find the project's packages.
# shellcheck shell=sh disable=SC2296
if [ -n "${BASH_SOURCE:-}" ]; then
    _q1net_file=$BASH_SOURCE
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval '_q1net_file=${(%):-%x}'
else
    # dash does not say which file is sourced; look for this one from the current folder upwards.
    _q1net_folder=$(pwd)
    while [ ! -f "$_q1net_folder/env.sh" ] || [ ! -d "$_q1net_folder/classifier/q1net" ]; do
        if [ "$_q1net_folder" = / ]; then
            echo "env.sh: this shell does not say where the file lies; source it from inside the clone" >&2
            unset _q1net_folder
            return 2
        fi
        _q1net_folder=$(dirname "$_q1net_folder")
    done
    _q1net_file=$_q1net_folder/env.sh
fi
_q1net_root=$(cd "$(dirname "$_q1net_file")" && pwd)
case ":${PYTHONPATH:-}:" in
    *":$_q1net_root:"*) ;;
    *) export PYTHONPATH="$_q1net_root${PYTHONPATH:+:$PYTHONPATH}" ;;
esac
export TF_USE_LEGACY_KERAS=1
unset _q1net_file _q1net_root _q1net_folder
