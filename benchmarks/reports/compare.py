"""Tells what got faster or slower between two runs, beyond noise: `benchmarks compare A.jsonl B.jsonl`.

A row has changed if the intervals of its 20th and 80th percentiles do not overlap, and the medians differ by more than
LEAST. Runs of one machine are compared by their times, those of different ones by their ratios to a peer in the run.
"""

from .result_files import read
from .table import peer_of

LEAST = 0.05
MACHINE = ("cpu", "simd", "gpu", "threads")


def same_machine(old, new):
    """Tells whether two rows were measured on the same class of machine."""
    return all(old.get(key) == new.get(key) for key in MACHINE)


def numbers(old, new):
    """Returns the summaries to compare, (None, None) if there are none."""
    if same_machine(old, new):
        return old["ours"], new["ours"]
    peer = peer_of(new)
    if peer is None or "ratio" not in old["peers"].get(peer, {}):
        return None, None
    return old["peers"][peer]["ratio"], new["peers"][peer]["ratio"]


def change(old, new):
    """Returns (`faster`, `slower`, `same` or a word for what is missing, new median / old median)."""
    if "failed" in new or "failed" in old:
        return ("fixed" if "failed" in old else "broken") if ("failed" in new) != ("failed" in old) else "same", None
    if "ours" not in new or "ours" not in old:
        return "same", None
    a, b = numbers(old, new)
    if a is None or b is None:
        return "incomparable", None
    factor = b["median"] / a["median"]
    if b["p20"] > a["p80"] and factor > 1 + LEAST:
        return "slower", factor
    if b["p80"] < a["p20"] and factor < 1 - LEAST:
        return "faster", factor
    return "same", factor


def compare(first, second):
    """Returns (lines to print, whether something got slower or broke)."""
    old, new = ({row["id"]: row for row in read(path)} for path in (first, second))
    found: list = [(name, *change(old[name], new[name])) for name in new if name in old]
    lines = []
    for word in ("broken", "slower", "faster", "fixed"):
        chosen = sorted((entry for entry in found if entry[1] == word), key=lambda entry: -abs((entry[2] or 1) - 1))
        lines += [f"{word:8} {f'x {factor:.2f}' if factor else '':8} {name}" for name, _, factor in chosen]
    counts = {word: sum(entry[1] == word for entry in found) for word in ("same", "incomparable")}
    lines.append(f"{len(found)} rows in both: {counts['same']} the same within noise, {len(lines)} changed")
    if counts["incomparable"]:
        lines.append(f"{counts['incomparable']} rows of different machines have no peer in common")
    for names, file in ((old.keys() - new.keys(), first), (new.keys() - old.keys(), second)):
        if names:
            lines.append(f"{len(names)} rows only in {file}")
    return lines, any(entry[1] in ("slower", "broken") for entry in found)
