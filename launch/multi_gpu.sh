#!/usr/bin/env bash
# Trains one experiment on the GPUs of this machine: launch/multi_gpu.sh [experiment] [more flags]
# The batch size is global: each GPU gets an equal share of it.
set -euo pipefail

# Edit: which GPUs.
export CUDA_VISIBLE_DEVICES="${CUDA_VISIBLE_DEVICES:-0,1}"

experiment="${1:-color_mnist_dragan_ns}"
exec python -m tfpaths.launch --exp="$experiment" --strategy=mirrored "${@:2}"
