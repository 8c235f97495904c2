"""`python -m tests.real_cupy [PART ...] [--whole]`: gpugrad on the real CuPy, on a machine without a GPU.

Makes the environment if it is not there (see environment.py), runs the parts in it, two processes at a time, and prints
one table. The exit status is 1 if a part failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from . import wheels
from .environment import CUPY, ROOT, Environment

# The test files that run every test on each device.
TESTS = (
    "tests/cuda/test_devices.py", "tests/cuda/test_custom.py", "tests/nn/test_layers.py",
    "tests/optim/test_optimizers.py",
    "tests/amp/test_amp.py", "tests/autograd/test_tensor.py", "tests/autograd/test_protocols.py",
    "tests/data/test_transforms.py", "tests/io/test_checkpoint.py", "tests/cli/test_doctor.py",
    "tests/backend/cuda/test_manners.py", "tests/backend/cuda/test_cublaslt.py", "tests/ops/test_index.py",
    "tests/ops/cuda/test_embedding.py", "tests/ops/cuda/test_softmax.py", "tests/ops/cuda/test_layer_norm.py",
)  # fmt: skip
_OP_PROCESSES = 2


class Part(NamedTuple):
    """One process: the part that it belongs to, its command, and whether it loads the real cuBLASLt."""

    name: str
    command: list[str]
    cublaslt: bool = False
    site: str = ""  # a folder with another wheel of CuPy


def parts(whole: bool) -> Iterator[Part]:
    """Return all parts, the longest first."""
    for number in range(_OP_PROCESSES):
        share = ["--part", f"{number}/{_OP_PROCESSES}", *(["--whole"] if whole else [])]
        yield Part("ops", ["-m", "tests.real_cupy.ops", *share])
    pytest = ["-m", "pytest", "-p", "tests.real_cupy.plugin", "-p", "no:cacheprovider"]
    yield Part("tests", [*pytest, *TESTS])
    yield Part("training", ["-m", "tests.real_cupy.training"])
    yield Part("capture", ["-m", "tests.real_cupy.capture"])
    yield Part("nccl", ["-m", "tests.real_cupy.nccl"])
    yield Part("launches", ["-m", "tests.real_cupy.launches"])
    yield Part("cublaslt", ["-m", "tests.real_cupy.cublaslt"], cublaslt=True)
    yield Part("names", ["-m", "tests.real_cupy.names"])


def run(part: Part, environment: Environment) -> tuple[Part, int, float, str]:
    """Run one part: (part, exit status, seconds, output)."""
    start = time.perf_counter()
    variables = environment.variables(part.cublaslt)
    if part.site:
        variables["PYTHONPATH"] += f":{part.site}"
    done = subprocess.run(
        [str(environment.python), *part.command], env=variables, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return part, done.returncode, time.perf_counter() - start, done.stdout


def main() -> int:
    """Run the chosen parts and print what they found."""
    names = list(dict.fromkeys(part.name for part in parts(False)))
    parser = argparse.ArgumentParser(prog="python -m tests.real_cupy", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--whole", action="store_true", help="every check of every op")
    parser.add_argument("--newest", action="store_true", help="also the names of the newest and the oldest CuPy")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the output of parts that passed, too")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(names):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    environment = Environment(CUPY).make()
    chosen = [part for part in parts(options.whole) if part.name in (options.parts or names)]
    if not options.parts or "names" in options.parts:
        chosen += [Part(f"names of {wheel.name}", ["-m", "tests.real_cupy.names"], site=str(wheel)) for wheel in
                   wheels.make(environment, options.newest)]  # fmt: skip
    failed, rows = False, []
    with ThreadPoolExecutor(2) as pool:
        for part, status, seconds, output in pool.map(lambda part: run(part, environment), chosen):
            failed |= status != 0
            rows.append(
                f"{part.name:24} {'passed' if status == 0 else f'failed with status {status}':24} {seconds:6.1f} s"
            )
            print(f"== {rows[-1]}", flush=True)
            if status or options.verbose:
                print(output, flush=True)
    print("\n".join(["", *rows]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
