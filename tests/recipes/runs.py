"""Quick runs of recipes for their tests: `quick_run` trains one, and holds `gpugrad eval` to the same figures."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass

from gpugrad.cli import main


@dataclass
class QuickRun:
    """What a run gave: its figures, what it printed, the losses of each of its trainings, its folder."""

    figures: dict
    printed: str
    losses: dict
    folder: object

    @property
    def losses_fall(self):
        """Whether the losses of the last quarter are below those of the first, in every training."""
        parts = [(len(losses) // 4 or 1, losses) for losses in self.losses.values()]
        return bool(parts) and all(sum(losses[-n:]) < sum(losses[:n]) for n, losses in parts)


def said(*command):
    """(exit status, what is printed) of a gpugrad command."""
    with redirect_stdout(io.StringIO()) as out:
        status = main([str(part) for part in command])
    return status, out.getvalue()


def quick_run(name, folder, *options):
    """Train the recipe `name` quickly, look that its pictures are there and that `eval` prints the same figures."""
    status, printed = said("train", name, "--quick", "--out", folder, *options)
    assert status == 0
    row = json.loads((folder / f"{name}.json").read_text())
    for picture in row["pictures"]:
        assert (folder / picture).stat().st_size > 500, picture
    assert not list(folder.glob("*.run"))
    _, again = said("eval", folder / f"{name}.safetensors")
    assert again.splitlines() == [line for line in printed.splitlines() if line in again] and again
    figures = {what: figure["value"] for what, figure in row["figures"].items()}
    return QuickRun(figures, printed, row["losses"], folder)
