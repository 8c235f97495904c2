"""What the benchmark suite says: its command line, progress, result files, comparisons and page."""

import html.parser
import json
import os
import re
import shutil
import subprocess
import threading
import time
import types
import xml.etree.ElementTree

import numpy as np
import pytest

import gpugrad
from gpugrad.autograd.op import OPS
from gpugrad.cli import main as command

pytest.importorskip("benchmarks.cli", reason="needs the checkout")
from benchmarks import cli
from benchmarks.cases import tasks
from benchmarks.measuring import environment
from benchmarks.measuring.subprocesses import python
from benchmarks.reports import compare, page, picture
from benchmarks.reports.progress import Progress
from benchmarks.reports.result_files import read, results_file

LIMITS = {"bandwidth": 1e10, "rates": {"float32": 1e11}, "cache": 1 << 16}
FACTS = {
    "noise": {"spread": 0.3, "load": 2.0}, "limits": {"cpu": LIMITS}, "versions": {"torch": "9.9"},
    "cpu": "<cpu>", "simd": {"widest": "AVX2", "numpy": ["X86_V3"], "blas": ["Haswell"]}, "threads": 2, "cores": 2,
    "gpu": None, "python": "3", "date": "2026-01-01", "commit": "abc",
}  # fmt: skip


def task(name, *made):
    return tasks.Task("kernel", name, "cpu", lambda: iter(made))


def row(name, median=1.0, spread=0.01, **more):
    numbers = {"median": median, "p20": median * (1 - spread), "p80": median * (1 + spread)}
    peers_ = {"torch": {"time": numbers, "ratio": numbers}}
    return {"id": name, "kind": "kernel", "name": name, "ours": numbers, "peers": peers_, "cpu": "x", "gpu": None,
            "threads": 2, "device": "cpu", "pass": "forward"} | more  # fmt: skip


def interrupted():
    yield row("second")
    raise KeyboardInterrupt


def test_ctrl_c_leaves_the_finished_rows_valid(tmp_path, capsys):
    stopped = tasks.Task("kernel", "b", "cpu", interrupted)
    found, status = cli.measure([task("a", row("first")), stopped, task("c", row("third"))], {}, tmp_path / "r.jsonl")
    assert status == 130 and [r["id"] for r in found] == ["first", "second"]
    assert [r["id"] for r in read(tmp_path / "r.jsonl")] == ["first", "second"]
    assert "the rows above are complete" in capsys.readouterr().out


def test_an_error_ends_its_own_row_only(tmp_path):
    broken = tasks.Task("kernel", "b", "cpu", lambda: (1 / 0 for _ in "x"))
    found, status = cli.measure([broken, task("c", row("third"))], {}, tmp_path / "r.jsonl")
    assert status == 1 and "ZeroDivisionError" in found[0]["failed"] and found[1]["id"] == "third"


def test_progress_says_how_long_it_takes():
    progress = Progress([task("a"), task("b")])
    progress.start = time.monotonic() - 40
    assert "left" not in progress.text(0)
    assert re.search(r"2/2 b \(cpu\), about 40 s left", progress.text(1))


def test_names_choose_tasks():
    listed = [(task("layer_norm"), "quick"), (task("exp"), None), (task("cos"), "full")]

    def names(*given, level="default"):
        return [t.name for t in tasks.chosen(listed, given, level)]

    assert names() == ["layer_norm"] and names(level="full") == ["layer_norm", "cos"]
    listed.append((task("classes mlp"), None))
    assert names("classes") == names("classes mlp") == ["classes mlp"] and names("mlp") == []
    assert names("layer-norm") == ["layer_norm"] and names("exp") == ["exp"] and names("kernels") == ["layer_norm"]


@pytest.mark.skipif(not gpugrad.cuda.is_available(), reason="there is no cuda device, not even an emulated one")
def test_names_that_only_one_device_has(capsys):
    assert cli.main(["--device", "both", "--list", "launch", "import", "classes"]) == 0
    listed = [line.split(maxsplit=2)[1:] for line in capsys.readouterr().out.splitlines()]
    assert ["cuda", "launch"] in listed and ["cpu", "import"] in listed and len(listed) == 2 + 2 * 3


def test_the_command_measures_a_users_ops(tmp_path, capsys):
    file, out = tmp_path / "my_ops.py", tmp_path / "r.jsonl"
    file.write_text(
        "import gpugrad\n@gpugrad.op(samples=lambda s: [s.case(s(3, 4))])\n"
        "def benchmarked_twice(x):\n    'Doubles.'\n    return x + x\nbenchmarked_twice.vjp(x=lambda g: g + g)\n"
    )
    try:
        status = command(["bench", "--quick", "--threads", "1", "--json", str(out), "--peers", "--", str(file)])
    finally:
        OPS.pop("benchmarked_twice", None)
        gpugrad.set_num_threads(2)
    assert status == 0, capsys.readouterr()
    assert [r["pass"] for r in read(out)] == ["forward", "forward + backward"]
    assert all(key in read(out)[0] for key in ("cpu", "simd", "versions", "commit", "date", "limits", "noise", "GB/s"))


@pytest.mark.parametrize("given", [["nosuchop"], ["compare", "a"], ["table"], ["page", "x.jsonl"], ["nosuch.py"]])
def test_usage_errors_have_status_2(given, capsys):
    assert cli.main(given) == 2
    assert capsys.readouterr().err.startswith("bench: ")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be kept to cores here")
def test_threads_are_cores_too(tmp_path, monkeypatch):
    before, seen, out = os.sched_getaffinity(0), [], tmp_path / "r.jsonl"
    waiting = threading.Event()
    already = threading.Thread(target=waiting.wait)  # as those of a BLAS, which start when it is imported
    already.start()

    def rows():
        inside = json.loads(python("-c", "import os, json; print(json.dumps(list(os.sched_getaffinity(0))))"))
        seen.extend([os.sched_getaffinity(0), os.sched_getaffinity(already.native_id), set(inside)])
        return iter([row("a")])

    monkeypatch.setattr(cli, "tasks_of", lambda *_: [tasks.Task("kernel", "a", "cpu", rows)])
    monkeypatch.setattr(cli, "Limits", lambda *_: types.SimpleNamespace(facts=lambda: LIMITS))
    try:
        assert cli.main(["--threads", "1", "--device", "cpu", "--json", str(out)]) == 0
    finally:
        waiting.set()
        gpugrad.set_num_threads(len(before))
        cli.load("torch", len(before))
    assert len(seen[0]) == 1 and seen[0] <= before and seen == [seen[0]] * 3
    assert os.sched_getaffinity(0) == before
    assert read(out)[0]["threads"] == 1 and read(out)[0]["cores"] == len(before)


# Comparing two runs


@pytest.mark.parametrize(
    "text",
    ["not json", "{", '{"id": 3}', '{"id": "x", "ours": 3}', '{"id": "x", "ours": {"median": "a"}}', "[1]", "", "\x80",
     '{"id": "x", "peers": [1]}', '{"id": "x", "peers": {"torch": 2}}', "[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("command", ["compare", "page"])
def test_files_of_other_kinds_are_one_line(tmp_path, capsys, command, text):
    path = tmp_path / "other.jsonl"
    path.write_bytes(text.encode("latin-1"))
    arguments = ["compare", str(path), str(path)] if command == "compare" else ["page", str(path), "--html", "x.html"]
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("bench: ") and "other.jsonl" in err and err.count("\n") == 1


def files(tmp_path, old, new):
    paths = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for path, content in zip(paths, (old, new), strict=True):
        path.write_text("".join(json.dumps(r) + "\n" for r in content))
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    "new, word, status",
    [
        (row("a", 1.5), "slower", 1),
        (row("a", 0.5), "faster", 0),
        (row("a", 1.04), "1 the same", 0),  # beyond the spread, but too little
        (row("a", 1.3, 0.4), "1 the same", 0),  # noise
        ({"id": "a", "failed": "boom"}, "broken", 1),
    ],
)
def test_compare(tmp_path, capsys, new, word, status):
    assert cli.main(["compare", *files(tmp_path, [row("a")], [new])]) == status
    assert word in capsys.readouterr().out


def test_runs_of_different_machines_are_compared_by_their_ratios():
    old, new = row("a", 1.0), row("a", 1.0, cpu="another")
    new["ours"] = {"median": 9.0, "p20": 9.0, "p80": 9.0}
    assert compare.change(old, new)[0] == "same"
    assert compare.change(old, row("a", 9.0))[0] == "slower"
    del new["peers"]["torch"]
    assert compare.change(old, new)[0] == "incomparable"


# Several kinds of CPU


def test_a_table_has_a_column_for_each_kind_of_cpu(tmp_path, capsys):
    wide = FACTS | {"simd": {"widest": "AVX-512", "numpy": ["X86_V4"], "blas": ["SkylakeX"]}}
    both, one = row("a", 0.5, goal=1.0, title="A", verdict="met"), row("b", 2.0, goal=1.0, title="B", verdict="missed")
    old, new = [both | FACTS, row("no goal") | FACTS], [row("a", 0.25, goal=1.0, title="A") | wide, one | wide]
    assert cli.main(["table", *files(tmp_path, old, new)]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0][2:4] == ["AVX2 (<cpu>, 2 threads)", "AVX-512 (<cpu>, 2 threads)"]
    assert [line[0] for line in cells[2:]] == ["A", "B", "**geometric mean of the ratios to PyTorch**"]
    assert cells[2][2] == "500 / 500 ms = 0.50 [0.49-0.51], met" and cells[3][2] == "-"
    assert cells[3][3] == "2 / 2 s = 2.00 [1.98-2.02], missed"
    assert cells[4][2:4] == ["**0.50** of 1", "**0.71** of 2"]
    for words in ("NumPy's loops for X86_V3, BLAS for Haswell", "NumPy's loops for X86_V4, BLAS for SkylakeX"):
        assert sum(words in line for line in lines) == 1


def test_kinds_of_cpu_are_kept_apart():
    wide = FACTS | {"simd": {"widest": "AVX-512", "numpy": [], "blas": []}}
    assert results_file(FACTS | {"cpu": "AMD"}).name == "2026-01-01-amd-avx2-2-threads.jsonl"
    assert results_file(FACTS) != results_file(wide) and not compare.same_machine(FACTS, wide)


@pytest.mark.parametrize(
    ("features", "widest"),
    [
        (["X86_V2", "X86_V3", "X86_V4"], "AVX-512"),
        (["SSE2", "AVX2", "AVX512F", "AVX512_SKX"], "AVX-512"),
        (["X86_V2", "X86_V3"], "AVX2"),
        (["ASIMD"], "NEON"),
        (["X86_V2"], "no AVX2"),
    ],
)
def test_the_instruction_set_is_the_one_that_numpy_uses(monkeypatch, features, widest):
    known = {
        "SIMD Extensions": {"baseline": features[:1], "found": features[1:], "not found": ["X86_V4", "AVX2", "SVE"]}
    }
    monkeypatch.setattr(environment.numpy, "show_config", lambda mode: known)
    assert environment.simd()["widest"] == widest and environment.simd()["numpy"] == sorted(features)


# The page


class Checker(html.parser.HTMLParser):
    """Notes elements that are not closed in order, and what refers to something outside."""

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.seen = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.open.append(tag)
        self.problems += [f"{tag} {k}={v}" for k, v in attrs if k in ("src", "href") or "url(" in (v or "")]
        self.problems += [f"{tag} {k}" for k, v in attrs if v and "nan" in v.split()]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()


@pytest.fixture
def written():
    kernel = {"flops": 1e6, "bytes": 1e6, "GB/s": 1.0, "TFLOP/s": 0.1, "limit": 0.5, "error": 0.0, "dtype": "float32"}
    model = {"kind": "model", "workload": "mlp", "title": "MLP <&>", "pass": "step"}
    curve = {"sizes": [1, 2, 4, 8], "curves": {"gpugrad": [1e-6, 2e-6, 4e-6, 8e-6], "torch": [1e-6] * 4}}
    curve |= {"exponents": {"gpugrad": 1.0, "torch": 0.0}, "expected": 1, "kind": "growth", "title": "batch"}
    rates = [{"rate": {"value": value, "unit": "images/s"}, "device": d} for value, d in ((50, "cpu"), (5000, "cuda"))]
    made = [row("softmax forward cpu", 0.25, **kernel), row("slow forward cpu", 7.0, **kernel), row("batch", **curve)]
    made += [row(f"mlp step {rate['device']}", **model, **rate) for rate in rates]
    made += [{"id": "broken cpu", "kind": "kernel", "failed": "ResultError: <b>"}]
    return page.page(made, FACTS)


def test_the_page_is_well_formed_and_self_contained(written):
    checker = Checker()
    checker.feed(written.replace("<!DOCTYPE html>", ""))
    assert checker.problems == [] and checker.open == []
    assert {"svg", "rect", "circle", "path", "table"} <= checker.seen and "script" not in checker.seen
    assert not re.search(r"https?://|@import|url\(", written) and "prefers-color-scheme:dark" in written
    for words in ("4.0x faster", "7.0x slower", "CPU against GPU", "100.0x", "n^1.00", "MLP &lt;&amp;&gt;", "failed"):
        assert words in written, words


def test_the_page_shows_in_a_browser(written, tmp_path):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium here")
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "page.html").write_text(written)
    shot = tmp_path / "shot.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--window-size=1000,1400"]
    command = [browser, *options, f"--screenshot={shot}", (tmp_path / "page.html").as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    pixels = np.asarray(image.open(shot).convert("RGB")).reshape(-1, 3)
    colours = {tuple(int(c) for c in pixel) for pixel in np.unique(pixels, axis=0)}
    assert (0x12, 0x80, 0x6A) in colours and (0xC8, 0x64, 0x1B) in colours  # the bars of both sides


# The picture


def with_goals():
    numpys = row("import", 0.1, goal=1.3, title="import")
    numpys["peers"] = {"numpy": numpys["peers"]["torch"]}
    made = [row("mlp", 0.25, goal=1.0, title="MLP <&>, forward + backward"), row("slow", 4.0, goal=1.0, title="slow")]
    return [*made, row("exp", 0.5, title="without a goal"), numpys, {"id": "broken cpu", "failed": "boom"}]


def test_the_picture_is_well_formed_and_self_contained():
    text = picture.picture(with_goals(), FACTS)
    root = xml.etree.ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and int(root.attrib["width"]) > 800
    assert {element.tag.partition("}")[2] for element in root.iter()} == {
        "svg",
        "style",
        "rect",
        "line",
        "text",
        "title",
    }
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|href|<script", text)
    used, known = set(re.findall(r"var\((--\w+)\)", text)), set(re.findall(r"(--\w+):", text))
    assert used <= known and text.count("--panel:") == 2 and "prefers-color-scheme:dark" in text
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "MLP <&>, fwd+bwd" in words and "0.25" in words and "4.00" in words
    assert "Time of gpugrad relative to PyTorch: 1.00 in the geometric mean of 2 workloads" in words
    assert not {"without a goal", "import"} & set(words)
    bars = [element.attrib for element in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert [bar["class"] for bar in bars] == ["panel", "ahead", "behind"] and bars[1]["width"] == bars[2]["width"]


def test_a_picture_without_a_goal_says_so():
    assert "no row has a goal" in picture.picture([row("exp", title="exp")], FACTS)


def test_the_command_writes_the_picture_of_an_earlier_run(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r | FACTS) + "\n" for r in with_goals()))
    written = tmp_path / "bars.svg"
    assert cli.main(["page", str(tmp_path / "a.jsonl"), "--svg", str(written)]) == 0
    assert written.read_text(encoding="utf-8") == picture.picture(with_goals(), FACTS)
    assert "picture written to" in capsys.readouterr().out
