"""Readers of files: images, tables, text, and tokenisers."""

import gzip
import os
import struct
import sys
import tracemalloc

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.data import (
    ByteTokenizer,
    CharTokenizer,
    DataLoader,
    HuggingFaceTokenizer,
    ImageFolder,
    Lines,
    TokenDataset,
    load_cifar10,
    load_digits,
    load_mnist,
    load_sklearn,
    read_idx,
)
from gpugrad.errors import DataError, MissingPackageError, OutOfRangeError

RNG = np.random.default_rng(0)


def idx(array, code=8):
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("code, dtype", [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_idx_of_every_dtype(tmp_path, code, dtype):
    array = RNG.integers(0, 100, (3, 2, 4)).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array, code))
    (tmp_path / "b").write_bytes(gzip.compress(idx(array, code)))
    for name in "ab":
        read = read_idx(tmp_path / name)
        assert read.dtype == array.dtype.newbyteorder("=") and read.tolist() == array.tolist()


def test_broken_idx_files_are_named(tmp_path):
    content = idx(np.zeros((2, 3), np.uint8))
    packed = gzip.compress(content)
    faults = {
        content[:3]: "not an idx file", b"\x89PNG" + content: "not an idx file", content[:9]: "within its header",
        content[:-1]: r"5 bytes of values, 6 expected for the shape \(2, 3\)", content + b"x": "7 bytes of values",
        packed[:-9]: "broken gzip file", packed[:15] + b"\xff\xff\xff" + packed[18:]: "broken gzip file",
    }  # fmt: skip
    for broken, message in faults.items():
        (tmp_path / "broken-idx").write_bytes(broken)
        with pytest.raises(DataError, match="broken-idx: .*" + message):
            read_idx(tmp_path / "broken-idx")


def test_idx_files_are_not_unpacked_before_they_are_known(tmp_path, monkeypatch):
    """What is no idx file, or has not the values that it promises, is found without unpacking the rest."""
    (tmp_path / "a").write_bytes(gzip.compress(b"no idx" + bytes(30_000_000), 1))
    (tmp_path / "b").write_bytes(gzip.compress(idx(np.zeros(5, np.uint8)) + bytes(30_000_000), 1))
    (tmp_path / "c").write_bytes(
        gzip.compress(struct.pack(">HBB3I", 0, 14, 3, *(2**32 - 1,) * 3) + bytes(30_000_000), 1)
    )
    for name, words in {"a": "not an idx file", "b": "6 bytes of values, 5 expected", "c": "expected for"}.items():
        tracemalloc.start()
        with pytest.raises(DataError, match=words):
            read_idx(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3_000_000


def test_pipes_are_not_waited_for(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for read in (read_idx, Lines, lambda path: TokenDataset(path, 2, tokenizer=ByteTokenizer()), HuggingFaceTokenizer):
        with pytest.raises(DataError, match="fifo: expected a regular file, but this is a pipe"):
            read(fifo)


def test_mnist(tmp_path):
    images, labels = RNG.integers(0, 256, (7, 28, 28), np.uint8), RNG.integers(0, 10, 7, np.uint8)
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(idx(images))
    (raw / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[:2])))
    with pytest.raises(FileNotFoundError, match="there is no t10k-labels-idx1"):
        load_mnist(tmp_path)
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:3])))
    with pytest.raises(DataError, match=r"t10k has images \(2, 28, 28\) and labels \(3,\)"):
        load_mnist(tmp_path)
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:2])))
    train, test = load_mnist(tmp_path)
    assert train.tensors[0].dtype == gg.uint8 and train.tensors[1].dtype == gg.int64
    assert train.tensors[0].tolist() == images[:, None].tolist() and train.tensors[1].tolist() == labels.tolist()
    assert len(test) == 2


def test_cifar10(tmp_path):
    records = RNG.integers(0, 256, (12, 3073), np.uint8)
    records[:, 0] %= 10
    for i, part in enumerate(np.split(records[:10], 5), 1):
        (tmp_path / f"data_batch_{i}.bin").write_bytes(part.tobytes())
    (tmp_path / "test_batch.bin").write_bytes(records[10:].tobytes())
    train, test = load_cifar10(tmp_path)
    assert train.tensors[0].tolist() == records[:10, 1:].reshape(10, 3, 32, 32).tolist()
    assert train.tensors[1].tolist() == records[:10, 0].tolist() and len(test) == 2
    (tmp_path / "test_batch.bin").write_bytes(bytes(3072))
    with pytest.raises(DataError, match="test_batch.bin: 3072 bytes are not a number of"):
        load_cifar10(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(bytes(3073) + b"\x0b" + bytes(3072))
    with pytest.raises(DataError, match="test_batch.bin: record 1 has the label 11"):
        load_cifar10(tmp_path)


def test_image_folders(tmp_path):
    image = pytest.importorskip("PIL.Image")
    arrays = {}
    for name in ("dog/a.png", "cat/deep/b.png", "cat/c.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        arrays[name] = RNG.integers(0, 256, (4, 5, 3), np.uint8)
        image.fromarray(arrays[name]).save(tmp_path / name)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    folder = ImageFolder(tmp_path, target_transform=lambda i: i * 10)
    assert (
        folder.classes == ["cat", "dog"] and folder.class_to_idx == {"cat": 0, "dog": 1} and folder.targets == [0, 0, 1]
    )
    expected = [
        arrays[name].transpose(2, 0, 1) / np.float32(255) for name in ("cat/c.bmp", "cat/deep/b.png", "dog/a.png")
    ]
    for workers in (0, 2):
        pictures, targets = next(iter(DataLoader(folder, 3, num_workers=workers)))
        np.testing.assert_array_equal(pictures.numpy(), np.stack(expected))
        assert targets.tolist() == [0, 0, 10]
    assert ImageFolder(tmp_path, transform=lambda picture: picture.size)[0][0] == (5, 4)
    with pytest.raises(DataError, match=r"no pictures in folders of classes \(it has the folders \['deep'\]\)"):
        ImageFolder(tmp_path / "cat", is_valid_file=lambda path: False)
    (tmp_path / "cat" / "c.bmp").write_bytes(b"BM broken")
    for workers in (0, 1):
        with pytest.raises(DataError, match=r"sample 0 of ImageFolder cannot be read: DataError: .*c\.bmp: "):
            next(iter(DataLoader(folder, 3, num_workers=workers)))


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"])
def test_tables(name):
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    train, test = load_sklearn(name, 0.25, seed=1)
    values, targets = (np.concatenate([a.numpy(), b.numpy()]) for a, b in zip(train.tensors, test.tensors, strict=True))
    assert values.dtype == np.float32 and len(values) == len(found.data) and abs(len(test) / len(values) - 0.25) < 0.02
    classes = name not in ("diabetes", "linnerud")
    assert targets.dtype == (np.int64 if classes else np.float32)
    key = values.reshape(len(values), -1)[np.lexsort(values.reshape(len(values), -1).T)]
    scale = 16 if name == "digits" else 1
    expected = (found.data / scale).astype(np.float32)
    assert key.tolist() == expected[np.lexsort(expected.T)].tolist()
    assert values.shape[1:] == ((1, 8, 8) if name == "digits" else found.data.shape[1:])
    if classes:
        counts = np.bincount(targets)
        assert np.abs(np.bincount(test.tensors[1].numpy()) - 0.25 * counts).max() <= 0.5
    assert load_sklearn(name, 0.25, seed=1).train.tensors[0].tolist() == train.tensors[0].tolist()
    assert load_sklearn(name, 0.25, seed=2).train.tensors[0].tolist() != train.tensors[0].tolist()


def test_tables_that_are_not_there(monkeypatch):
    with pytest.raises(DataError, match="no data set 'mnist'; it has breast_cancer, diabetes, digits, iris"):
        load_sklearn("mnist")
    assert load_digits(12).train[0][0].shape == (1, 12, 12)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"scikit-learn: pip install 'gpugrad\[demo\]'"):
        load_sklearn("iris")


TEXT = "Größe, 語!\n"


def test_bytes_and_characters():
    tokens = ByteTokenizer().encode(TEXT)
    assert tokens.dtype == gg.int64 and tokens.tolist() == list(TEXT.encode())
    assert ByteTokenizer().decode(tokens) == TEXT and ByteTokenizer().decode([0xFF, 65]) == "\ufffdA"
    with pytest.raises(OutOfRangeError, match="256 is not one of the 256"):
        ByteTokenizer().decode([256])
    characters = CharTokenizer(TEXT + "😀")
    assert characters.chars == "".join(sorted(set(TEXT + "😀"))) and characters.vocab_size == len(set(TEXT)) + 1
    assert characters.encode(TEXT).tolist() == [characters.chars.index(c) for c in TEXT]
    assert characters.decode(characters.encode("ö😀")) == "ö😀" and characters.encode("").tolist() == []
    assert CharTokenizer(characters.chars).chars == characters.chars
    for text, where in (("Gx", "'x' at 1"), ("😁", "'😁' at 0")):
        with pytest.raises(DataError, match=where):
            characters.encode(text)
    with pytest.raises(OutOfRangeError):
        characters.decode([-1])


def test_hugging_face_tokenisers(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer(tokenizers.models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    theirs.save(str(tmp_path / "tokenizer.json"))
    for source in (theirs, tmp_path / "tokenizer.json"):
        ours = HuggingFaceTokenizer(source)
        assert ours.vocab_size == 3 and ours.encode("two one three").tolist() == [1, 0, 2]
        assert ours.decode(gg.tensor([1, 0])) == "two one"
    with pytest.raises(OutOfRangeError):
        ours.decode([3])
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="bad.json: not a tokeniser"):
        HuggingFaceTokenizer(tmp_path / "bad.json")


def test_hugging_face_tokenisers_need_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingPackageError, match=r"tokenizers: pip install 'gpugrad\[train\]'"):
        HuggingFaceTokenizer("tokenizer.json")


def test_lines(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("eins\r\nzwö\n\nlast".encode())
    lines = Lines(path)
    assert [lines[i] for i in range(-1, 4)] == ["last", "eins", "zwö", "", "last"] and len(lines) == 4
    assert next(iter(DataLoader(lines, 2, num_workers=1))) == ["eins", "zwö"]
    with pytest.raises(OutOfRangeError, match="text: there is no line 4 of 4"):
        lines[4]
    path.write_bytes(b"ok\n\xff\xfe\n")
    with pytest.raises(DataError, match="text: line 1: .*utf-8"):
        Lines(path)[1]


def test_windows_of_tokens(tmp_path):
    data = TokenDataset(np.arange(10), 3)
    assert [(x.tolist(), y.tolist()) for x, y in (data[i] for i in range(len(data)))] == [
        ([0, 1, 2], [1, 2, 3]), ([3, 4, 5], [4, 5, 6]), ([6, 7, 8], [7, 8, 9]),
    ]  # fmt: skip
    assert len(TokenDataset(np.arange(9), 3)) == 2
    assert [x.tolist() for x, _ in (TokenDataset(gg.arange(6), 3, 1)[i] for i in (0, -1))] == [[0, 1, 2], [2, 3, 4]]
    x, y = next(iter(DataLoader(data, 2, num_workers=1)))
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]] and y.tolist() == [[1, 2, 3], [4, 5, 6]]
    (tmp_path / "a").write_text("abcab")
    (tmp_path / "b").write_text("cabc")
    data = TokenDataset([tmp_path / "a", tmp_path / "b"], 4, tokenizer=CharTokenizer("abc"))
    assert [x.tolist() for x, _ in (data[i] for i in range(2))] == [[0, 1, 2, 0], [1, 2, 0, 1]]
    assert TokenDataset("abcab", 4, tokenizer=CharTokenizer("abc"))[0][1].tolist() == [1, 2, 0, 1]
    with pytest.raises(DataError, match="stride must be positive, got 0"):
        TokenDataset(np.arange(10), 3, stride=0)
    with pytest.raises(DataError, match=r"tokens \(3,\) are too few for a window of 3"):
        TokenDataset([1, 2, 3], 3)
    with pytest.raises(OutOfRangeError):
        data[2]
    (tmp_path / "bad").write_bytes(b"\xff")
    with pytest.raises(DataError, match="bad: .*utf-8"):
        TokenDataset(tmp_path / "bad", 4, tokenizer=ByteTokenizer())
