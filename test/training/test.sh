#!/bin/sh
# Runs the tests of scripts/train.py in a Python environment of their own, made from the pinned requirements.
# The environment (about 5 GB with PyTorch and its CUDA libraries) is kept, and made anew when a pin changes.
#
#   PYTHON        the Python to make it with, 3.11 to 3.13; the image has Ubuntu 24.04's, 3.12
#   TRAINING_VENV where it is kept
#   TRAINING_ENVIRONMENT
#                 the Job's container environment as JSON, name -> value; environment.example.json if unset
set -eu
cd "$(dirname "$0")"
venv=${TRAINING_VENV:-$HOME/.cache/llm-platform-training/venv}
build=../../scripts/requirements-build.txt
if ! cat "$build" requirements.txt | cmp -s - "$venv/pins"; then
  "${PYTHON:-python3}" -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --require-hashes --requirement "$build"
  "$venv/bin/pip" install --quiet --require-hashes --no-build-isolation --requirement requirements.txt
  cat "$build" requirements.txt > "$venv/pins"
fi
exec "$venv/bin/python" -B -m pytest -p no:cacheprovider -rP --quiet "$@" .
