"""NumPy's functions that are made of ops: each call gives what NumPy gives, and has the gradient that it should."""

from importlib import import_module

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import DTypeError, OutOfRangeError, ShapeError

rng = np.random.default_rng(0)
V, W = rng.standard_normal(6), rng.standard_normal(4)
M, N = rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
HOLES = np.where(rng.random((3, 4)) < 0.3, np.nan, M)
INTS, MASK = rng.integers(-5, 9, (3, 4)), rng.random((3, 4)) < 0.5
SORTED = np.sort(rng.random(5))
INF = np.array([-np.inf, -1.5, -0.0, 0.0, 2.0, np.inf])

# (name, arguments, keywords): called in both, arrays as Tensors in ours. A name once more with other arguments is fine.
CALLS = [
    ("append", (M, N), {"axis": 0}), ("append", (M, 7.0), {}),
    ("argpartition", (V, 2), {}), ("array", ([[1, 2]],), {"ndmin": 3}), ("array", (V,), {"dtype": "float32"}),
    ("apply_along_axis", (lambda r: r * 2, 0, M), {}), ("apply_along_axis", (lambda r: r.sum(), 1, M), {}),
    ("array_equiv", (M, M), {}), ("array_equiv", (M, N), {}), ("around", (V, 1), {}), ("asanyarray", (V,), {}),
    ("ascontiguousarray", (M.T,), {}), ("asfortranarray", (M,), {}), ("bartlett", (7,), {}),
    ("bitwise_count", (INTS,), {}),
    ("blackman", (7,), {}), ("block", ([[M, M], [M, M]],), {}), ("block", ([V, W],), {}),
    ("can_cast", ("int32", "float64"), {}), ("choose", (np.array([[0, 1], [1, 0]]), [M[:2, :2], 9.0]), {}),
    ("choose", (INTS, [M, M + 1, M + 2]), {"mode": "wrap"}), ("choose", (INTS, [M, M + 1]), {"mode": "clip"}),
    ("compress", ([True, False, True], M), {"axis": 0}), ("convolve", (V, W), {}), ("convolve", (W, V, "same"), {}),
    ("convolve", (V, W[:3], "same"), {}), ("convolve", (V, W, "valid"), {}), ("correlate", (V, W), {}),
    ("correlate", (V, W, "full"), {}), ("correlate", (V, W, "same"), {}), ("correlate", (W, V, "same"), {}),
    ("corrcoef", (M,), {}), ("cov", (M,), {}), ("cov", (V, V * V), {"bias": True}), ("cov", (M.T,), {"rowvar": False}),
    ("cov", (M,), {"aweights": [1.0, 2, 3, 1], "fweights": [1, 2, 1, 3]}), ("cov", (V,), {"ddof": 0}),
    ("degrees", (V,), {}), ("delete", (M, 1), {"axis": 1}), ("delete", (M, [0, -1], 0), {}),
    ("delete", (M, slice(1, None, 2), 1), {}), ("delete", (V, 2), {}), ("delete", (V, V > 0), {}),
    ("diag_indices", (3,), {}), ("diag_indices_from", (np.ones((3, 3)),), {}), ("divmod", (INTS, 3), {}),
    ("dsplit", (rng.random((2, 3, 4)), 2), {}), ("ediff1d", (M,), {"to_end": [1.0, 2.0], "to_begin": 0.0}),
    ("extract", (MASK, M), {}), ("fabs", (V,), {}), ("fix", (V,), {}), ("float_power", (np.abs(V), 1.5), {}),
    ("frexp", (np.append(V, [0.0, 1e300, 4e-308]),), {}), ("fromfunction", (lambda i, j: i * j, (3, 4)), {}),
    ("gcd", (INTS, 6), {}), ("geomspace", (1.0, 64.0, 7), {}), ("geomspace", (-2.0, -32.0, 5), {}),
    ("gradient", (V,), {}), ("gradient", (M,), {}), ("gradient", (M, 0.5), {"axis": 1, "edge_order": 2}),
    ("gradient", (M[0, :4], W.cumsum() * 0 + [0, 1.0, 3, 4]), {}), ("hamming", (7,), {}), ("hanning", (7,), {}),
    ("gradient", (V, np.array([0.0, 1, 3, 4, 7, 8])), {"edge_order": 2}),
    ("histogram2d", (V, V**2, 3), {}), ("hsplit", (M, [1, 3]), {}), ("hsplit", (V, 2), {}), ("identity", (3,), {}),
    ("indices", ((2, 3),), {}), ("indices", ((2, 3),), {"sparse": True}), ("insert", (V, 2, 9.0), {}),
    ("insert", (M, 1, W[:3]), {"axis": 1}), ("insert", (M, [1, 3], N.T[:3, :2] * 0 + 1), {"axis": 1}),
    ("insert", (V, [2, 2, -1], [7.0, 8.0, 9.0]), {}), ("insert", (M, 0, N), {"axis": 0}),
    ("interp", (V, np.arange(4.0) - 1.5, W), {}), ("interp", (V, np.arange(4.0) - 1.5, W, -9.0, 9.0), {}),
    ("interp", (V * 10, SORTED * 3, V[:5]), {"period": 4.0}), ("intersect1d", (INTS, [1, 2, 3, 8]), {}),
    ("iscomplexobj", (V,), {}), ("isneginf", (INF,), {}), ("isposinf", (INF,), {}), ("isrealobj", (V,), {}),
    ("isscalar", (3.0,), {}), ("issubdtype", ("float32", np.integer), {}), ("ix_", ([0, 2], [True, False, True]), {}),
    ("kaiser", (7, 2.0), {}), ("lcm", (INTS, 6), {}), ("ldexp", (V, [1, 2, 3, -1, 0, 9]), {}),
    ("lexsort", ((INTS[0], INTS[1]),), {}), ("logaddexp2", (V, V[::-1]), {}), ("logaddexp2", (INF, -INF), {}),
    ("mask_indices", (3, lambda x, k: np.triu(x, k) if isinstance(x, np.ndarray) else gg.triu(x, k), 1), {}),
    ("mod", (INTS, 3), {}), ("modf", (INF,), {}), ("nanargmax", (HOLES,), {"axis": 1}), ("nanargmin", (HOLES,), {}),
    ("nancumprod", (HOLES,), {"axis": 1}), ("nancumsum", (HOLES,), {}), ("nanmax", (HOLES,), {"axis": 0}),
    ("nanmedian", (HOLES,), {"axis": 0}), ("nanmin", (HOLES,), {"keepdims": True}), ("nanpercentile", (HOLES, 30), {}),
    ("nanprod", (HOLES,), {"axis": 0}), ("nanquantile", (HOLES, [0.2, 0.9], 1), {}),
    ("nanquantile", (HOLES, 0.3), {"axis": (0, 1), "keepdims": True}), ("nanmin", (INTS,), {"axis": 0}),
    ("nanstd", (HOLES,), {"axis": 1}), ("nanvar", (HOLES,), {"axis": 0, "ddof": 1}), ("ndim", (M,), {}),
    ("nextafter", (INF, V), {}), ("partition", (V, 2), {}), ("piecewise", (V, [V < 0], [np.abs, 7.0]), {}),
    ("piecewise", (V, [V < -1, V > 1], [lambda x: -x, lambda x: x * x]), {}), ("polyadd", (V, W), {}),
    ("polyder", (W,), {"m": 2}), ("polyfit", (V, V**2, 3), {}), ("polyfit", (V, V**2, 1), {"w": np.abs(V)}),
    ("polyint", (W,), {"k": [2.0]}), ("polymul", (V, W), {}), ("polysub", (V, W), {}), ("polyval", (W, V), {}),
    ("promote_types", ("int8", "uint8"), {}), ("ptp", (M,), {"axis": 0}), ("radians", (V,), {}),
    ("ravel_multi_index", (([0, 2], [1, 3]), (3, 4)), {}), ("ravel_multi_index", (([-1], [5]), (3, 4), "wrap"), {}),
    ("resize", (M, (2, 7)), {}), ("resize", (M, 5), {}), ("rollaxis", (rng.random((2, 3, 4)), 2, 1), {}),
    ("rollaxis", (rng.random((2, 3, 4)), 0, 3), {}), ("row_stack", ((V, V),), {}),
    ("select", ([V < 0, V > 1], [V, V**2], 42.0), {}), ("setdiff1d", (INTS, [1, 2]), {}),
    ("setxor1d", (INTS, [1, 2, 99]), {}), ("shape", (M,), {}), ("sinc", (np.append(V, 0.0),), {}), ("size", (M,), {}),
    ("size", (M, 1), {}), ("spacing", (V,), {}), ("tri", (3, 4, 1), {}), ("tril_indices", (3, 1, 4), {}),
    ("tril_indices_from", (M,), {}), ("trim_zeros", (np.array([0, 0, 1, 0, 2, 0]),), {}),
    ("trim_zeros", (np.array([0, 0, 1, 0]), "b"), {}), ("triu_indices", (3,), {}), ("triu_indices_from", (M, 1), {}),
    ("union1d", (INTS, [77]), {}), ("unravel_index", ([0, 7, 11], (3, 4)), {}), ("unwrap", (np.cumsum(V) * 4,), {}),
    ("unwrap", (INTS, ), {"period": 4}), ("vander", (W,), {}), ("vander", (W, 3, True), {}), ("vsplit", (M, [1]), {}),
    ("apply_over_axes", (lambda a, i: a.sum(i), M, [0, 1]), {}),
]  # fmt: skip
WRITERS = [
    ("copyto", (M, 3.0), {"where": MASK}), ("copyto", (M, W), {}), ("fill_diagonal", (M, 5.0), {}),
    ("fill_diagonal", (np.zeros((5, 2)), 5.0, True), {}), ("place", (M, MASK, [1.0, 2.0]), {}),
    ("put", (M, [0, 5, -1], [1.0, 2.0]), {}), ("put_along_axis", (M, np.array([[1], [0], [2]]), 9.0, 1), {}),
    ("putmask", (M, MASK, [1.0, 2.0, 3.0]), {}),
]  # fmt: skip
SMOOTH = """append apply_along_axis choose compress convolve correlate corrcoef cov delete ediff1d extract fabs
float_power gradient insert interp ldexp logaddexp2 nancumprod nancumsum nanmax nanmedian nanprod nanquantile nanstd
nanvar piecewise polyadd polyder polyfit polyint polymul polysub polyval ptp resize select sinc unwrap vander""".split()
EAGER = {"iscomplexobj", "isrealobj", "nextafter", "sinc"}  # of other families
ELSEWHERE = {"isdtype", "result_type"}  # test_array_api.py


def ours(value):
    """`value` with Tensors for arrays."""
    if isinstance(value, np.ndarray):
        return gg.tensor(value)
    return type(value)(map(ours, value)) if isinstance(value, (list, tuple)) else value


def agree(made, expected):
    """Whether a result is NumPy's, in its shape and kind of dtype."""
    if isinstance(expected, (tuple, list)):
        assert len(made) == len(expected)
        for one, other in zip(made, expected, strict=True):
            agree(one, other)
    elif isinstance(expected, (np.ndarray, np.generic)) and not isinstance(made, (bool, np.dtype)):
        assert isinstance(made, gg.Tensor) and made.shape == expected.shape, (made, expected)
        assert made.dtype.kind == expected.dtype.kind
        tolerance = 1e-6 if made.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(made.numpy(), expected, rtol=tolerance, atol=tolerance)
    else:
        assert made == expected


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[f"{i}-{c[0]}" for i, c in enumerate(CALLS)])
def test_calls_agree_with_numpy(name, args, kwargs):
    theirs = np.vstack if name == "row_stack" else getattr(np, name)
    agree(getattr(gg, name)(*ours(args), **ours(kwargs)), theirs(*args, **kwargs))


@pytest.mark.parametrize(("name", "args", "kwargs"), WRITERS, ids=[f"{i}-{c[0]}" for i, c in enumerate(WRITERS)])
def test_writers_agree_with_numpy(name, args, kwargs):
    mine, copy = gg.tensor(args[0]), args[0].copy()
    getattr(np, name)(copy, *args[1:], **kwargs)
    assert getattr(gg, name)(mine, *ours(args[1:]), **ours(kwargs)) is None
    np.testing.assert_array_equal(mine.numpy(), copy)
    with pytest.raises(DTypeError, match=f"{name}: the first argument"):
        getattr(gg, name)([1.0], *args[1:], **kwargs)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients(name):
    _, args, kwargs = next(call for call in CALLS if call[0] == name)
    flat = [a for arg in args for a in (arg if isinstance(arg, list) else [arg])]
    floats = [gg.tensor(a, requires_grad=True) for a in flat if isinstance(a, np.ndarray) and a.dtype.kind == "f"]

    def call(*tensors):
        parts = iter(tensors)

        def replaced(value):
            if isinstance(value, np.ndarray):
                return next(parts) if value.dtype.kind == "f" else gg.tensor(value)
            return [replaced(v) for v in value] if isinstance(value, list) else value

        out = getattr(gg, name)(*[replaced(a) for a in args], **kwargs)
        return out[0] if isinstance(out, tuple) else out.reshape(-1)[gg.isfinite(out.reshape(-1)).nonzero()[0]]

    assert call(*floats).requires_grad
    floats = [f.detach() if bool(f.isnan().any()) else f for f in floats]
    if any(f.requires_grad for f in floats):
        assert gg.autograd.gradcheck(call, floats)
    else:  # with NaN, at which no difference can be taken: what is no NaN has a gradient, and NaN has none
        (x,) = (f.requires_grad_() for f in floats)
        (g,) = gg.grad(call(x).sum(), [x])
        assert not bool(g.isnan().any()) and bool((g[x.isnan()] == 0).all()) and bool((g != 0).any())


def test_every_name_is_called():
    later = {name for names in gg._LATER.values() for name in names.split()}
    assert later == {name for name, *_ in (*CALLS, *WRITERS) if name not in EAGER} | ELSEWHERE
    for family, names in gg._LATER.items():
        assert sorted(import_module(f"gpugrad.ops.{family}").__all__) == names.split()


def test_calls_that_do_not_fit():
    for call, error, words in [
        (lambda: gg.choose([0, 3], [[1.0], [2.0]]), ShapeError, "choose: x holds numbers outside of the 2 choices"),
        (lambda: gg.convolve([], [1.0]), ShapeError, "convolve: expected sequences"),
        (lambda: gg.delete([1, 2], 5), ShapeError, "delete: index 5 is outside axis 0"),
        (lambda: gg.gradient([1.0]), ShapeError, "gradient: axis 0"),
        (lambda: gg.interp([1.0], [1.0, 2.0], [1.0]), ShapeError, "interp: xp and fp"),
        (lambda: gg.nanargmax([[float("nan")]]), ShapeError, "nanargmax: a slice"),
        (lambda: gg.nanquantile([1.0], 2), ShapeError, "nanquantile: quantiles"),
        (lambda: gg.ravel_multi_index(([3], [0]), (3, 4)), OutOfRangeError, "ravel_multi_index: an index"),
        (lambda: gg.select([[True]], []), ShapeError, "select: 1 conditions but 0 choices"),
        (lambda: gg.unravel_index([12], (3, 4)), OutOfRangeError, "unravel_index: an index"),
    ]:
        with pytest.raises(error, match=words):
            call()
