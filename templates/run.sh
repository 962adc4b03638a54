#!/bin/sh
# @TITLE@
# ./run.sh --data IMAGES, or --synthetic for made-up images.
set -eu
here=$(dirname -- "$0")
exec torchrun --standalone --nproc-per-node @GPUS_PER_NODE@ "$here/train.py" "$@"
