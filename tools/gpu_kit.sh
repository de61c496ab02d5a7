#!/usr/bin/env bash
# Collects what a machine with JAX and CUDA (Python 3.12, x86-64) needs for `keras-ff benchmark gpu`, and has no network to get.
#
#     tools/gpu_kit.sh FOLDER          here, in a clone of the repository; the folder takes about 20 MB
#     bash FOLDER/run.sh [OPTIONS]     there, with the options of the benchmark, such as `--only speed` or `--write FILE`
set -euo pipefail
if [ $# -ne 1 ] || [ -e "$1" ]; then
  echo "usage: tools/gpu_kit.sh FOLDER, a folder that does not exist yet" >&2
  exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1/wheels" "$1/tutorials"
platforms=()
for name in manylinux2014_x86_64 manylinux_2_17_x86_64 manylinux_2_27_x86_64 manylinux_2_28_x86_64 linux_x86_64 any; do
  platforms+=(--platform "$name")
done
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 --abi abi3 --abi none \
  "${platforms[@]}" --dest "$1/wheels" keras ase vesin h5py tqdm namex optree rich markdown-it-py mdurl pygments pydantic pydantic-core annotated-types \
  typing-extensions typing-inspection
python3 -m pip wheel --quiet --no-deps --wheel-dir "$1/wheels" "$root"
# The benchmarks are not in the wheel.
(cd "$root" && git ls-files tools tutorials/data | tar -cf - -T -) | tar -xf - -C "$1"
# Under the name that an installation gives it.
mv "$1/tools" "$1/keras_ff_tools"
cat >"$1/run.sh" <<'RUN'
#!/usr/bin/env bash
# Installs the wheels beside this file for this user of the machine, in a folder of its own, and measures.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$here"/wheels/*.whl
export PYTHONPATH="$here:$site" PYTHONUNBUFFERED=1 KERAS_BACKEND=jax XLA_PYTHON_CLIENT_PREALLOCATE=false
python3 -m keras_ff_tools.main benchmark gpu "$@"
RUN
du -sh "$1" | cut -f1
