#!/usr/bin/env bash
# As batch_train_jpeg_paper.sh, for the larger network (K = 12).
COMP_TYPE=jpeg_paper_k12 exec "$(dirname "${BASH_SOURCE[0]}")/batch_train_jpeg_paper.sh" "$@"
