#!/bin/sh
# @TITLE@
# On each of the @NODES@ machines, with the name of one of them: HEAD=node0 ./run.sh --data IMAGES, or --synthetic for
# made-up images. HEAD may have a port (node0:29500). Two runs on the same machines need two ports and two RUN_IDs.
set -eu
here=$(dirname -- "$0")
: "${HEAD:?is needed: the name of one of the @NODES@ machines, the same on all}"
exec torchrun --nnodes @NODES@ --nproc-per-node @GPUS_PER_NODE@ \
  --rdzv-id "${RUN_ID:-@NAME@}" --rdzv-backend c10d --rdzv-endpoint "$HEAD" "$here/train.py" "$@"
