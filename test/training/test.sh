#!/bin/sh
# Runs the tests of the scripts in a virtual environment with the pinned requirements. The environment (about
# 5 GB with PyTorch and its CUDA libraries) is kept, and replaced when a pin changes.
#
# With the argument "install" it only makes the environment, with "bench" it measures.
#
#   MANIFESTS     folder with plain.json, the Kubernetes objects of a run; `make test-training` sets it
#   PYTHON        Python 3.12 for the environment, as in the image; default: python3.12, also pyenv's
#   TRAINING_VENV folder of the environment
set -eu
cd "$(dirname "$0")"
venv=${TRAINING_VENV:-$HOME/.cache/llm-platform-training/venv-3.12}
build=../../image/requirements-build.txt
if [ "${1:-}" != install ] && ! [ -f "${MANIFESTS:-}/plain.json" ]; then
  echo "test.sh: no plain.json in the folder MANIFESTS (${MANIFESTS:-not set}): run \`make test-training\`" >&2
  exit 1
fi
if ! cat "$build" requirements.txt | cmp -s - "$venv/pins"; then
  python=${PYTHON:-$({ command -v pyenv && PYENV_VERSION=$(pyenv latest 3.12) pyenv which python3.12 || command -v python3.12; } 2>/dev/null | tail -1)}
  "${python:?no Python 3.12: install python3.12 with its venv module, or set PYTHON}" -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --require-hashes --requirement "$build"
  "$venv/bin/pip" install --quiet --require-hashes --no-build-isolation --requirement requirements.txt
  cat "$build" requirements.txt > "$venv/pins"
fi
if [ "${1:-}" = install ]; then
  exit
fi
if [ "${1:-}" = bench ]; then
  exec "$venv/bin/python" -B bench.py
fi
exec "$venv/bin/python" -B -m pytest -p no:cacheprovider -rP --quiet "$@"
