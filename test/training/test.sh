#!/bin/sh
# Runs the tests of scripts/train.py in a Python environment of their own, made from the pinned requirements.
# The environment (about 5 GB with PyTorch and its CUDA libraries) is kept, and made anew when a pin changes.
#
#   MANIFESTS     the folder with plain.json, what the program registers with Kubernetes; `make test-training` sets it
#   PYTHON        the Python to make the environment with, 3.11 to 3.13; the image has Ubuntu 24.04's, 3.12
#   TRAINING_VENV where it is kept
set -eu
cd "$(dirname "$0")"
venv=${TRAINING_VENV:-$HOME/.cache/llm-platform-training/venv}
build=../../scripts/requirements-build.txt
if ! [ -f "${MANIFESTS:-}/plain.json" ]; then
  echo "test.sh: no plain.json in the folder MANIFESTS (${MANIFESTS:-not set}): start this by \`make test-training\`" >&2
  exit 1
fi
if ! cat "$build" requirements.txt | cmp -s - "$venv/pins"; then
  "${PYTHON:-python3}" -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --require-hashes --requirement "$build"
  "$venv/bin/pip" install --quiet --require-hashes --no-build-isolation --requirement requirements.txt
  cat "$build" requirements.txt > "$venv/pins"
fi
exec "$venv/bin/python" -B -m pytest -p no:cacheprovider -rP --quiet "$@" .
