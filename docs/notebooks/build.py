"""Turns the tutorials beside this file into executed notebooks: `python docs/notebooks/build.py --out DIR [--quick]`.

A tutorial is a Python program in cells (`# %%`, `# %% [markdown]`: jupytext's py:percent). Each runs in a kernel and an
empty folder of its own; the notebook is written even if a cell fails, and then the exit status is 1. Needs the extra
`docs`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TUTORIALS = ["backprop", "digits", "dates", "kernel", "newton", "precision", "style", "distributed"]
KERNEL = [
    "--InlineBackend.figure_format=retina",  # twice as many pixels: sharp on screens of today
    "--IPKernelApp.log_level=40",  # errors
]


def build(out: Path, names: Iterable[str] = TUTORIALS, quick: bool = False) -> list[str]:
    """Write `out`/NAME.ipynb for each of the tutorials; return a line for each that failed. quick: the short form."""
    out.mkdir(parents=True, exist_ok=True)
    return [problem for name in names if (problem := _executed(name, out / f"{name}.ipynb", quick))]


def _executed(name: str, target: Path, quick: bool) -> str:
    """Convert one tutorial, run it and write it; return what failed, or nothing."""
    import jupytext
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook, start, problem = jupytext.read(HERE / f"{name}.py"), time.perf_counter(), ""
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            extra_arguments=KERNEL,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env=_environment(quick))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            problem = f"{name}: {error}"
    notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    jupytext.write(notebook, target)
    print(f"{name}: {'failed' if problem else 'done'} in {time.perf_counter() - start:.0f} s, {target}", flush=True)
    return problem


def _environment(quick: bool) -> dict[str, str]:
    """Return a kernel's environment: gpugrad of this checkout; no progress bars, which would stand still."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TQDM_DISABLE": "1"}
    return {**given, "GPUGRAD_QUICK": "1"} if quick else {k: v for k, v in given.items() if k != "GPUGRAD_QUICK"}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(TUTORIALS)} (default: all)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the notebooks go")
    parser.add_argument("--quick", action="store_true", help="small data and few steps, to see that everything runs")
    args = parser.parse_args()
    if unknown := set(args.names) - set(TUTORIALS):
        parser.error(f"there is no tutorial {', '.join(sorted(unknown))}; there are {', '.join(TUTORIALS)}")
    problems = build(args.out, args.names or TUTORIALS, args.quick)
    print("\n".join(problems), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
