"""Shows on the terminal how far a run is."""

import sys
import time

WEIGHTS = {"kernel": 3, "model": 3, "overhead": 1, "growth": 3}  # how long a task of each kind takes, roughly


class Progress:
    """Shows a line on the terminal: which task of how many, and how long the rest takes at the pace so far."""

    def __init__(self, tasks, stream=sys.stderr):
        self.tasks, self.stream, self.start = tasks, stream, time.monotonic()
        self.shown = stream.isatty()

    def text(self, number):
        """Returns the line before task `number` (from 0)."""
        done = sum(WEIGHTS[task.kind] for task in self.tasks[:number])
        rest = sum(WEIGHTS[task.kind] for task in self.tasks[number:])
        left = ""
        if done:
            seconds = (time.monotonic() - self.start) * rest / done
            left = f", about {seconds / 60:.0f} min left" if seconds > 90 else f", about {seconds:.0f} s left"
        bar = "#" * round(20 * done / (done + rest)) if done else ""
        task = self.tasks[number]
        return f"[{bar:20}] {number + 1}/{len(self.tasks)} {task.name} ({task.device}){left}"

    def show(self, number):
        """Writes the line."""
        if self.shown:
            self.stream.write(f"\r\033[K{self.text(number)}")
            self.stream.flush()

    def clear(self):
        """Removes the line."""
        if self.shown:
            self.stream.write("\r\033[K")
            self.stream.flush()
