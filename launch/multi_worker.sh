#!/usr/bin/env bash
# One worker of several machines. On each machine, with its own number in the list below, from 0 on:
#   launch/multi_worker.sh 0 [experiment] [more flags]
# They wait for each other, at most 300 seconds (--cluster_timeout). Number 0 writes the run directory, and continues from its
# checkpoint when all are started again.
set -euo pipefail

# Edit: every machine as host:port, in the same order on all of them.
WORKERS="${WORKERS:-machine-0:2222 machine-1:2222}"

index="${1:?expected the number of this machine in WORKERS, from 0 on}"
experiment="${2:-color_mnist_dragan_ns}"
read -ra workers <<<"$WORKERS"
quoted="$(printf '"%s",' "${workers[@]}")"
export TF_CONFIG="{\"cluster\": {\"worker\": [${quoted%,}]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
exec python -m tfpaths.launch --exp="$experiment" --strategy=multi_worker "${@:3}"
