"""`gpugrad profile`: of a file's op, of our own, what it refuses, and the table of our kernels' accesses."""

import json
import re
from dataclasses import replace

import pytest

import gpugrad as gg
from gpugrad.cli import access_table, main
from gpugrad.cli.access_table import Row

needs_emulator = pytest.mark.skipif(
    not gg.cuda.is_emulated() or gg.cuda.emulator.available() is not None, reason="needs the emulator"
)
FILE = '''
import gpugrad as gg

@gg.op(samples=lambda s: [s.case(s(3, 4)), s.case(s(40, 64))])
def flipped(x):
    """x with its columns for rows."""
    return gg.xp(x).ascontiguousarray(x.T)

flipped.vjp(x=lambda g: g.T)
gg.cuda.attach(
    flipped,
    """__global__ void flip(float* out, const float* x, long long rows, long long columns) {
    for (long long i = threadIdx.x; i < rows * columns; i += blockDim.x)
        out[i] = x[i % rows * columns + i / rows];
}""",
    out=lambda x: (x.shape[::-1], x.dtype),
    forward="flip(out, x, x.shape[0], x.shape[1])",
    grid=["1"],
)
'''


@needs_emulator
def test_an_op_of_a_file(tmp_path, capsys, own_ops):
    (tmp_path / "ops.py").write_text(FILE)
    page, counts = tmp_path / "page.html", tmp_path / "counts.json"
    files = ["--html", str(page), "--json", str(counts)]
    assert main(["profile", str(tmp_path / "ops.py"), "--shape", "32x64", "--forward", "--no-code", *files]) == 0
    out = capsys.readouterr().out
    assert out.startswith("flipped(float64[32, 64]), floats float32")
    assert re.search(r"flipped.cu:3 +load +4 +64 +32 +32 +12 % +100 %", out)
    assert "together: 16384 bytes moved, 1.00 times the 16384 of all inputs and outputs" in out

    (kernel,) = json.loads(counts.read_text())["kernels"]
    assert kernel["name"] == "flip" and kernel["touched"]["read"] == 8192
    load, store = (access for line in kernel["lines"] for access in line["accesses"])
    assert (load["units"], load["least"], store["units"], store["least"]) == (2048, 256, 256, 256)

    html = page.read_text()
    assert html.startswith("<!doctype html>") and html.count("<section") == 1
    assert "out[i] = x[i % rows * columns + i / rows];" in html and "prefers-color-scheme: dark" in html
    assert not re.search(r"""(?:src|href)=["'](?!#)|@import|url\(""", html)  # it needs no other file


@needs_emulator
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--op", "softmaxx"], "gpugrad has no op 'softmaxx' with kernels"),
        ([], "name an op (--op NAME) or a file"),
        (["--op", "softmax", "--set", "axis=0"], "--set goes with --shape"),
        (["--op", "softmax", "--shape", "2x3", "--set", "axis"], "--set axis: expected NAME=VALUE"),
        (["--op", "softmax", "--shape", "2x3", "--gpu", "H3"], "the peaks of 'H3' are not known here"),
    ],
)
def test_what_is_refused(words, message, capsys):
    assert main(["profile", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_shape_that_is_none(capsys):
    with pytest.raises(SystemExit):
        main(["profile", "--op", "softmax", "--shape", "2,3"])
    assert "expected a shape such as 64x1024, 64:1000 (whole numbers) or -, got '2,3'" in capsys.readouterr().err


# ---- the table

ROW = Row("softmax 2 x 3", "softmax_forward<float, 8, false>", "1.000", "-", 10, 0, 0.98, "", "")


def test_the_table_is_read_as_it_is_written():
    other = replace(ROW, stores="0.500", conflicts=3, misses="sectors", where="rows.cuh:3 < softmax.cu:4")
    text = access_table.written("# Head\n\nText.\n\n| call | old |\n", [ROW, replace(other, call="softmax 4 x 5")])
    assert text.startswith("# Head\n\nText.\n\n| call | kernel | loads |")
    assert list(access_table.read(text).values()) == [ROW, replace(other, call="softmax 4 x 5")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"loads": "0.997"}, ""),
        ({"loads": "0.900"}, "loads 1.0 -> 0.9 of the sectors needed"),
        ({"conflicts": 1}, "bank conflicts 0 -> 1 turns"),
        ({"lanes": 0.9}, "lanes 0.98 -> 0.9"),
        ({"misses": "sectors"}, "misses the rule on sectors"),
    ],
)
def test_what_is_worse(change, words):
    assert ", ".join(access_table.worse(replace(ROW, **change), ROW)) == words


def test_the_committed_table_holds_the_rules():
    rows = access_table.read(access_table.path().read_text()).values()
    kernels = {row.kernel.partition("<")[0] for row in rows}
    assert {"attention_mma_forward", "convolution_gather_mma", "softmax_forward", "optimizer_step", "map"} <= kernels
    assert all(row.misses == "" for row in rows if row.kernel.startswith(("attention", "softmax", "optimizer", "map")))
