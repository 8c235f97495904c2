"""Other libraries on Tensors: einops, opt_einsum, PyTorch's arrays, scikit-learn and SciPy by the array API."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gpugrad as gg

ROOT = Path(__file__).parent.parent
A = np.arange(24.0).reshape(2, 3, 4)


def test_einops_knows_tensors():
    einops = pytest.importorskip("einops")
    x = gg.tensor(A, requires_grad=True)
    for call in (
        lambda x: einops.rearrange(x, "b h (w c) -> c (b h) w", c=2),
        lambda x: einops.reduce(x, "b h c -> b c", "mean"),
        lambda x: einops.reduce(x, "b (h r) c -> b r c", "max", r=3),
        lambda x: einops.repeat(x, "b h c -> b (h r) c", r=2),
        lambda x: einops.pack([x, x], "b * c")[0],
        lambda x: einops.einsum(x, x, "b h c, b k c -> b h k"),
        lambda x: einops.rearrange([x, x], "n b h c -> b n h c"),
    ):
        made = call(x)
        assert isinstance(made, gg.Tensor) and made.requires_grad
        np.testing.assert_allclose(made.detach().numpy(), call(A))


def test_opt_einsum_finds_its_functions():
    contract = pytest.importorskip("opt_einsum").contract
    made = contract("ijk,ljk,lm->im", gg.tensor(A), gg.tensor(A), gg.ones(2, 3, dtype="float64"))
    np.testing.assert_allclose(made.numpy(), np.einsum("ijk,ljk,lm->im", A, A, np.ones((2, 3))))


def test_pytorchs_tensors_share_their_memory():
    theirs = torch.zeros(3)
    ours = gg.asarray(theirs)
    ours[0] = 5.0
    assert theirs.tolist() == [5, 0, 0] and gg.tensor(theirs).dtype == gg.float32
    low = torch.tensor([1.0, 2.0]).bfloat16()
    shared = gg.from_dlpack(low)
    shared[1] = 7.0
    assert low.tolist() == [1, 7] and shared.dtype == gg.bfloat16
    back = torch.from_dlpack(shared)
    assert back.dtype == torch.bfloat16 and back.tolist() == [1, 7]


BY_ARRAY_API = """
import numpy as np, sklearn, scipy.special, scipy.stats
import gpugrad as gg
from sklearn.decomposition import PCA
from sklearn.metrics.pairwise import rbf_kernel
A = np.random.default_rng(0).standard_normal((20, 4))
x = gg.tensor(A, requires_grad=True)
with sklearn.config_context(array_api_dispatch=True):
    made = PCA(2, svd_solver="full").fit_transform(x.detach())
    assert isinstance(made, gg.Tensor)
    np.testing.assert_allclose(abs(made.numpy()), abs(PCA(2, svd_solver="full").fit_transform(A)), atol=1e-10)
    rbf_kernel(x).sum().backward()
assert x.grad.shape == (20, 4)
(g,) = gg.grad(scipy.special.logsumexp(x), [x])
np.testing.assert_allclose(g.numpy(), scipy.special.softmax(A))
np.testing.assert_allclose(scipy.stats.skew(x).detach().numpy(), scipy.stats.skew(A))
assert gg.grad(scipy.stats.skew(x).sum(), [x])[0].shape == (20, 4)
"""


def test_scikit_learn_and_scipy_by_the_array_api():
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BY_ARRAY_API], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr


def test_questions_of_the_array_api():
    info = gg.__array_namespace_info__()
    assert gg.__array_api_version__ == "2024.12" and gg.ones(1).__array_namespace__() is gg
    assert set(info.dtypes(kind=("bool", "unsigned integer"))) == {"bool", "uint8", "uint16", "uint32", "uint64"}
    assert info.default_dtypes()["real floating"] == gg.float32 and info.default_device() in info.devices()
    assert info.capabilities()["boolean indexing"] is True
    assert gg.isdtype(gg.bfloat16, "real floating") and not gg.isdtype(gg.uint16, "signed integer")
    assert gg.isdtype(gg.int32, (gg.int32, "bool")) and gg.bool == gg.bool_
    assert gg.result_type(gg.uint8, gg.int8) == gg.int16 and gg.result_type(gg.int32, 1.5) == gg.float32
    assert gg.result_type(gg.ones(1), gg.float64, True) == gg.float64 and gg.result_type(1, 2) == gg.int64
    assert gg.promote(gg.uint32, gg.int32) == gg.int64 and gg.ones(2, dtype="uint16").sum().dtype == gg.uint64
    assert gg.ones(2).to_device("cpu").device == "cpu"
    x = gg.ones(2)
    assert gg.astype(x, gg.float32, copy=False) is x and gg.astype(x, gg.float32, copy=True) is not x
    assert gg.zeros(shape=(2, 3)).shape == gg.full(shape=(2, 3), fill_value=1.0).shape == (2, 3)
