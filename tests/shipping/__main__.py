"""`python -m tests.shipping [archives] [wheel] [oldest]`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from . import archives, environments

PARTS = ("archives", "wheel", "oldest")


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are named, or all. Return 1 if the archives are wrong, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.shipping", description="Try what reaches a user.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}")
    parts = parser.parse_args(arguments).parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        wheel, sdist, again = archives.built(Path(folder))
        if "archives" in parts and (problems := archives.check(wheel, again)):
            print("\n".join(problems))
            return 1
        if "wheel" in parts:
            environments.try_wheel(Path(folder), wheel)
        if "oldest" in parts:
            environments.try_oldest(Path(folder), wheel)
        print(f"{wheel.name} and {sdist.name} work ({', '.join(parts)}) in {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
