#!/usr/bin/env bash
# Trains one experiment on this machine: launch/local.sh [experiment] [more flags]
set -euo pipefail

experiment="${1:-color_mnist_dragan_ns}"
exec python -m tfpaths.launch --exp="$experiment" "${@:2}"
