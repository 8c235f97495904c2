"""`gpugrad docs --build` builds the documentation's pages; `gpugrad docs --open` also shows them in a browser.

They are made from docs/ and from the code, by Sphinx, and searched without a network.
"""

import argparse
import functools
import os
import subprocess
import sys
import webbrowser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..errors import UsageError
from ..optional import need
from .suite import ROOT
from .usage import number

SOURCE = ROOT / "docs"
PACKAGES = {"sphinx": "sphinx", "myst_parser": "myst-parser", "pydata_sphinx_theme": "pydata-sphinx-theme",
            "sphinx_design": "sphinx-design"}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--build", action="store_true", help="write the pages; a warning is an error")
    wanted.add_argument("--open", action="store_true", help="write the pages, serve them here and open a browser")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the pages go (default: docs/_build/html)")
    parser.add_argument("--port", type=number(int, 0), default=0, help="for --open (default: one that is free)")


def run(args: argparse.Namespace) -> int:
    """Build, and serve until Ctrl-C if asked to; return the exit status of the build.

    Raises UsageError where there are no sources of the pages, MissingPackageError without the extra `docs`.
    """
    if not (SOURCE / "conf.py").is_file():
        raise UsageError(
            f"there is no folder {SOURCE}: wheels have no documentation; run this in a checkout, or unpack the source "
            "distribution (pip download --no-binary gpugrad --no-deps gpugrad)"
        )
    for module, package in PACKAGES.items():
        need(module, "gpugrad docs", "docs", package)
    out = (args.out or SOURCE / "_build" / "html").resolve()
    status = build(out)
    if args.open and not status:
        serve(out, args.port)
    return status


def build(out: Path) -> int:
    """Write the pages to `out`, and return Sphinx's exit status."""
    settings = ["-b", "html", "-W", "--keep-going", "-q", "-j", str(min(4, os.cpu_count() or 1))]
    cache = ["-d", str(SOURCE / "_build" / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *settings, *cache, str(SOURCE), str(out)]
    print(f"building the pages in {out}, which takes a minute or two", flush=True)
    status = subprocess.run(command, check=False).returncode
    print(f"built: {out / 'index.html'}" if not status else f"the build failed with status {status}", flush=True)
    return status


def serve(folder: Path, port: int = 0) -> None:
    """Serve the pages to this machine and open a browser, until the program is interrupted."""
    with ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=str(folder))) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        print(f"serving {folder} at {address}; Ctrl-C ends it", flush=True)
        webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


class Quiet(SimpleHTTPRequestHandler):
    """Answers requests without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""
