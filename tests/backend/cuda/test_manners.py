"""What CuPy does otherwise than NumPy, on a GPU as on the emulated device: NumPy's meaning all the same."""

import ml_dtypes
import numpy as np
import pytest

import gpugrad as gg
from gpugrad.backend.cuda.emulator.arrays import library
from gpugrad.errors import LinAlgError, OutOfRangeError

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]


@pytest.fixture
def bits(cuda):
    return cuda.asarray(np.array([[1.5, -2.0], [np.nan, 4.0]], np.float32)).astype(BFLOAT16)


def test_bfloat16_stays_bfloat16(cuda, bits):
    ns = cuda.xp
    mask = cuda.asarray(np.array([[True, False], [True, True]]))
    chosen = ns.where(mask, bits, 0.1)
    assert chosen.dtype == ns.where(mask, 1, bits).dtype == ns.where(mask, bits, bits).dtype == BFLOAT16
    values = cuda.to_host(chosen).astype(float)
    assert values[0].tolist() == [1.5, float(BFLOAT16.type(0.1))] and np.isnan(values[1, 0])
    assert ns.where(mask, bits, bits.astype(np.float32)).dtype == np.float32
    for name in ("tril", "triu"):
        assert getattr(ns, name)(bits, 1).dtype == BFLOAT16
        expected = getattr(np, name)(cuda.to_host(bits).astype(np.float32))
        assert np.array_equal(cuda.to_host(getattr(ns, name)(bits)).astype(np.float32), expected, equal_nan=True)
    held = ns.empty_like(bits)
    assert ns.clip(bits, -1, 1, out=held) is held and cuda.to_host(held).tolist()[0] == [1, -1]
    assert ns.clip(bits, -1, 1).dtype == BFLOAT16 and ns.clip(bits, bits, bits.astype(np.float32)).dtype == np.float32


def test_solve_broadcasts_stacks(cuda):
    rng = np.random.default_rng(0)
    for a, b in (
        ((3, 3), (2, 3, 1)),
        ((2, 3, 3), (3, 2)),
        ((4, 1, 3, 3), (2, 3, 2)),
        ((2, 3, 3), (3,)),
        ((0, 2, 2), (2, 1)),
    ):
        a, b = rng.standard_normal(a) + 3 * np.eye(a[-1]), rng.standard_normal(b)
        got = gg.solve(gg.tensor(a, device=cuda), gg.tensor(b, device=cuda)).cpu().numpy()
        assert got.shape == np.linalg.solve(a, b).shape and np.allclose(got, np.linalg.solve(a, b))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    "call",
    [
        lambda a: gg.solve(a, gg.ones(2, dtype=a.dtype, device=a.device)),
        lambda a: gg.inv(gg.stack([gg.eye(2, dtype=a.dtype, device=a.device), a])),
        lambda a: gg.cholesky(a - 1),
    ],
)
def test_a_matrix_that_cannot_be_inverted_is_an_error(call, device, cuda):
    with pytest.raises(LinAlgError):
        call(gg.tensor(SINGULAR, dtype="float64", device=device))


def test_numbers_that_are_not_finite_are_no_error(cuda):
    assert np.isnan(gg.inv(gg.tensor([[float("nan"), 1.0], [1.0, 1.0]], device=cuda)).cpu().numpy()).all()


@pytest.fixture
def checked():
    gg.cuda.set_check_indices(True)
    yield
    gg.cuda.set_check_indices(False)


WRONG = {
    "x[i]": lambda x, i: x[i],
    "x[..., i]": lambda x, i: x[..., None, i + 1],
    "x[[..]]": lambda x, i: x[[0, 7]],
    "x[mask, i]": lambda x, i: x[gg.tensor([True, False, True], device=x.device), i + 1],
    "x[i] = 1": lambda x, i: x.__setitem__(i, 1.0),
    "take": lambda x, i: gg.take(x, i, axis=0),
    "take of all": lambda x, i: gg.take(x, i * 4),
    "gather": lambda x, i: gg.gather(x, 0, i[:, None]),
    "index_add": lambda x, i: gg.index_add(x, i, gg.ones(2, 4, device=x.device), axis=0),
    "embedding": lambda x, i: gg.embedding(i, x),
    "segment_sum": lambda x, i: gg.segment_sum(x[:2], i, num_segments=3),
    "cross_entropy": lambda x, i: gg.nn.functional.cross_entropy(x[:2], i + 1),
}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", WRONG)
def test_an_index_outside_is_an_error_where_indices_are_checked(name, device, cuda, checked):
    x, i = gg.zeros(3, 4, device=device), gg.tensor([0, 3], device=device)
    with pytest.raises(OutOfRangeError):
        WRONG[name](x, i)


def test_right_indices_are_no_error(cuda, checked):
    x = gg.arange(6.0).reshape(2, 3).to(cuda)
    assert x[gg.tensor([-1, 0], device=cuda)].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert x[gg.tensor([True, False], device=cuda), gg.tensor([2], device=cuda)].tolist() == [2]


def test_without_the_check_an_index_counts_modulo(cuda):
    x = gg.arange(4.0).to(cuda)
    assert x[[5, -6]].tolist() == [1, 2]
    assert x[gg.tensor([5, -6], device=cuda)].tolist() == gg.take(x, gg.tensor([5, -6], device=cuda)).tolist() == [1, 2]


@pytest.fixture
def emulated(cuda):
    if not gg.cuda.is_emulated():
        pytest.skip("a GPU is here")
    return library


def test_the_emulated_arrays_have_these_manners(emulated, bits):
    assert emulated.where(bits == bits, bits, bits).dtype == np.float32 == emulated.clip(bits, 0, 1).dtype
    assert emulated.tril(bits).dtype == np.float32 == emulated.triu(bits).dtype
    with pytest.raises(TypeError, match="unexpected keyword argument 'initial'"):
        bits.max(initial=0)
    a, b = emulated.ones((2, 2), float), emulated.ones((3, 2, 1), float)
    with pytest.raises(ValueError, match="must have"):
        emulated.linalg.solve(a, b)
    assert np.isnan(emulated.linalg.solve(a, b[0]).get()).all() and np.isnan(emulated.linalg.inv(a).get()).all()


def test_uploads_are_counted_and_numbers_are_none(emulated, cuda):
    before = gg.cuda.emulator.uploads()
    x = gg.zeros(3, device=cuda)
    assert (x * 3 + 1).shape == (3,) and gg.cuda.emulator.uploads() == before
    gg.tensor([1.0, 2.0], device=cuda)
    assert gg.cuda.emulator.uploads() == before + 1


def test_memory_that_was_freed_is_not_at_once_the_same_again(emulated, cuda):
    addresses = set()
    for _ in range(8):
        x = gg.ones(1000, device=cuda)
        addresses.add(cuda.address(x._array))
        del x
    assert len(addresses) > 6
