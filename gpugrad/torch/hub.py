"""Files of weights by their address."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import urlopen

from ..io.replace import replace_file
from .serialization import load

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # in a file name, the start of its SHA-256


def get_dir() -> str:
    """Return the folder in which files are kept: that of PyTorch, unless TORCH_HOME names another."""
    return str(Path(_get_torch_home()) / "hub")


def _get_torch_home() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Write the file at `url` to the path `dst`."""
    with urlopen(url) as response:
        replace_file(dst, iter(lambda: response.read(1 << 20), b""))


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> Any:
    """Return the state dict at `url`; the file is kept in `model_dir`, and read from there the next time."""
    folder = Path(get_dir()) / "checkpoints" if model_dir is None else Path(model_dir)
    path = folder / (file_name or os.path.basename(urlparse(url).path))
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        download_url_to_file(url, str(path))
    return load(path, map_location)


def __getattr__(name: str) -> Any:
    if name == "tqdm":  # which PyTorch shows progress by
        return import_module("tqdm").tqdm
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
