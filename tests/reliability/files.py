"""Checkpoint files: savers that are killed at random moments, and files that are changed at random."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import gpugrad as gg
from gpugrad import nn
from gpugrad.data import DataLoader, TensorDataset
from gpugrad.errors import GpugradError
from gpugrad.io import load, load_training, save, tensor_names
from gpugrad.optim import AdamW
from gpugrad.train import Trainer

SAVER = """
import itertools, sys
import numpy as np
from gpugrad.io import save
for i in itertools.count():
    save(sys.argv[1], {f"w{j}": np.full(50_000, i, np.float32) for j in range(20)}, {"step": i})
    print(i, flush=True)
"""


def killed_savers(count, seed=0):
    """Kill `count` processes, one after the other, that save the same file again and again.

    Gives how many files were not those of the last whole save, how many kills came inside a save (they left a
    temporary file), and how many files were left over in the end, after a save that was not killed.
    """
    randomness, corrupted, cut_short = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.safetensors")
        for _ in range(count):
            done = _kill_one(path, randomness.random() * 0.05)
            corrupted += not _is_whole(path, done)
            cut_short += len(os.listdir(folder)) > 1
        save(path, {})
        return corrupted, cut_short, len(os.listdir(folder)) - 1


def _kill_one(path, delay):
    """Start a saver and kill it `delay` seconds after its first save; the last save that it reported."""
    with subprocess.Popen([sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        return [0, *map(int, process.stdout.read().split())][-1]


def _is_whole(path, done):
    """Whether the file is that of save `done`, or of the next, which had no time to be reported."""
    try:
        tensors, metadata = load(path)
    except Exception:
        return False
    step = metadata["step"]
    return step in (done, done + 1) and len(tensors) == 20 and all((t.numpy() == step).all() for t in tensors.values())


def fuzzed_files(count, seed=0):
    """Change `count` checkpoints at random and load them; lists what was raised that is no error of gpugrad's.

    Half of them are plain files with flipped bits, cut or with bytes of others; half are training runs whose metadata
    is other JSON, with checksums that are right, so that it reaches what reads it.
    """
    randomness, problems = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.safetensors")
        trainer, loader = _trained()
        trainer.save(path)
        whole, (tensors, metadata) = path.read_bytes(), load(path)
        for number in range(count):
            if number % 2:
                save(path, tensors, _odd_json(metadata, randomness))
            else:
                path.write_bytes(_damaged(whole, randomness))
            problems += _problems(path, trainer, loader)
    return problems


def _trained():
    """A trainer of a small network after an epoch, and its loader."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    trainer = Trainer(model, AdamW(model.parameters()), nn.CrossEntropyLoss(), progress=False)
    loader = DataLoader(TensorDataset(gg.randn(8, 3), gg.randint(0, 2, (8,))), 4, shuffle=True)
    trainer.fit(loader, 1)
    return trainer, loader


def _problems(path, trainer, loader):
    """What loading raises that is no error of gpugrad's."""
    found = []
    for way in (load, lambda p: load(p, mmap=True), tensor_names, load_training, lambda p: trainer.load(p, loader)):
        state = gg.get_rng_state(), random.getstate(), np.random.get_state()
        try:
            way(path)
        except GpugradError:
            pass
        except BaseException as error:
            found.append(f"{type(error).__name__}: {error}")
        gg.set_rng_state(state[0])
        random.setstate(state[1])
        np.random.set_state(state[2])
    return found


def _damaged(content, randomness):
    """The file with a few bits flipped, cut short, longer, or with a piece of it moved."""
    content, kind = bytearray(content), randomness.randrange(4)
    if kind == 0:
        for _ in range(randomness.randint(1, 8)):
            content[randomness.randrange(len(content))] ^= 1 << randomness.randrange(8)
    elif kind == 1:
        del content[randomness.randrange(len(content)) :]
    elif kind == 2:
        content += randomness.randbytes(randomness.randint(1, 100))
    else:
        start, end = sorted(randomness.randrange(len(content)) for _ in range(2))
        content[randomness.randrange(len(content)) :] = content[start:end]
    return bytes(content)


ODD = (
    None, True, -1, 0, 10**400, 1.5, float("nan"), "", "x", [], {}, [[]], [{}], {"a": []}, [None], ["tensor"], ["dict"],
    ["tensor", []], ["tensor", "absent"], ["array", 3], ["dict", 1], ["dict", [[], 1]], ["dict", [["list"], 1]],
    ["list", ["tuple"]], [3, 4], ["unknown", 1],
)  # fmt: skip


def _odd_json(value, randomness):
    """JSON like `value` with a part of it, chosen at random, in another's place, missing, twice or nested deep."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    holder, key = randomness.choice(places)
    kind = randomness.randrange(5)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, name = randomness.choice(places)
        holder[key] = json.loads(json.dumps(other[name]))
    elif kind == 2:
        nested = holder[key]
        for _ in range(randomness.choice((3, 90, 300))):
            nested = [randomness.choice(("list", "tuple")), nested]
        holder[key] = nested
    else:
        holder[key] = randomness.choice(ODD)
    return value


def _places(value):
    """(holder, key) of every part of nested lists and dicts; of long lists a few."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))[:8] if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])


def report(kills=100, files=1000):
    """Rows (what, tried, failures) for `python -m tests.reliability`."""
    corrupted, _, left = killed_savers(kills)
    problems = fuzzed_files(files)
    return [
        ("savers killed: files corrupted", kills, corrupted),
        ("savers killed: temporary files left after the next save", kills, left),
        ("checkpoints fuzzed: other errors than gpugrad's", files, len(problems)),
    ]
