#!/usr/bin/env bash
# Trains one experiment on a TPU, or from the first host of a TPU pod slice on all of it:
#   launch/tpu_pod.sh [experiment] [more flags]
# TensorFlow's build for TPUs must be installed on every host. Not run by us: we have no TPU.
set -euo pipefail

# Edit: the TPU's name.
export TPU_NAME="${TPU_NAME:-my-tpu}"

# On a pod slice this process talks to the servers of all hosts, and must not open its own host's chips.
export TPU_LOAD_LIBRARY="${TPU_LOAD_LIBRARY:-0}"
experiment="${1:-color_mnist_dragan_ns}"
exec python -m tfpaths.launch --exp="$experiment" --strategy=tpu --tpu="$TPU_NAME" \
  --set schedule.steps_per_execution=100 "${@:2}"
