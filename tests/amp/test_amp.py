"""Mixed precision: PyTorch's dtypes and values inside autocast, and its loss scale step for step."""

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad import amp, nn, optim
from gpugrad.autograd import autocast as policy
from gpugrad.errors import DeviceError, DTypeError, GradientError

CLASSES = np.array([0, 2, 1, 3])
SIGNS = np.ones((4, 4), np.float32)


def both(name, *shapes, **options):
    """A function with the same name and arguments in both libraries, of values of these shapes."""
    return lambda library, v: getattr(library[0], name)(*[v(*s) for s in shapes], **options)


def functional(name, *shapes, after=(), **options):
    return lambda library, v: getattr(library[1], name)(*[v(*s) for s in shapes], *map(library[2], after), **options)


SQUARE = (4, 4)
IMAGE = (1, 2, 4, 4)
# What gives each dtype is PyTorch's word, not this list's.
FUNCTIONS = {
    "matmul": both("matmul", SQUARE, SQUARE),
    "matrix-vector": both("matmul", SQUARE, (4,)),
    "einsum": lambda library, v: library[0].einsum("ij,jk->ik", v(4, 4), v(4, 4)),
    "linear": functional("linear", SQUARE, SQUARE, (4,)),
    "conv1d": functional("conv1d", (1, 2, 4), (2, 2, 3)),
    "conv2d": functional("conv2d", IMAGE, (2, 2, 3, 3), (2,)),
    "conv3d": functional("conv3d", (1, 2, 4, 4, 4), (2, 2, 3, 3, 3)),
    "conv_transpose2d": functional("conv_transpose2d", IMAGE, (2, 2, 3, 3)),
    "attention": functional("scaled_dot_product_attention", IMAGE, IMAGE, IMAGE),
    "prelu": lambda library, v: library[1].prelu(v(4, 4), library[2](np.float32([0.25]))),
    "bilinear": functional("bilinear", SQUARE, SQUARE, (2, 4, 4)),
    "add": lambda library, v: v(4) + library[2](np.ones(4, np.float32)),
    "multiply": lambda library, v: v(4) * v(4),
    "divide": lambda library, v: v(4) / v(4),
    "cat": lambda library, v: library[0].cat([v(4), library[2](np.ones(4, np.float32))]),
    "stack": lambda library, v: library[0].stack([v(4), library[2](np.ones(4, np.float32))]),
    "where": lambda library, v: library[0].where(v(4) > 0.5, v(4), library[2](np.ones(4, np.float32))),
    "prod": lambda library, v: v(4, 4).prod(),
    "sum": lambda library, v: v(4, 4).sum(),
    "mean": lambda library, v: v(4, 4).mean(),
    "var": lambda library, v: v(4, 4).var(),
    "cumsum": lambda library, v: v(4).cumsum(0),
    "exp": both("exp", SQUARE),
    "log": both("log", SQUARE),
    "tanh": both("tanh", SQUARE),
    "rsqrt": both("rsqrt", SQUARE),
    "power": lambda library, v: v(4) ** 2.5,
    "relu": functional("relu", SQUARE),
    "gelu": functional("gelu", SQUARE),
    "silu": functional("silu", SQUARE),
    "softplus": functional("softplus", SQUARE),
    "softmax": lambda library, v: library[1].softmax(v(4, 4), 1),
    "log_softmax": lambda library, v: library[1].log_softmax(v(4, 4), 1),
    "layer_norm": lambda library, v: library[1].layer_norm(v(4, 4), (4,), *ones(library)),
    "group_norm": lambda library, v: library[1].group_norm(v(4, 4, 2), 2, *ones(library)),
    "batch_norm": lambda library, v: library[1].batch_norm(v(4, 4), None, None, *ones(library), True),
    "batch_norm in use": lambda library, v: library[1].batch_norm(v(4, 4), *ones(library), *ones(library)),
    "instance_norm": lambda library, v: library[1].instance_norm(v(2, 4, 4)),
    "local_response_norm": functional("local_response_norm", (1, 4, 4), size=2),
    "normalize": functional("normalize", SQUARE),
    "embedding": lambda library, v: library[1].embedding(library[2](CLASSES), v(4, 4)),
    "dropout": functional("dropout", SQUARE, training=False),
    "cosine_similarity": functional("cosine_similarity", SQUARE, SQUARE),
    "pairwise_distance": functional("pairwise_distance", SQUARE, SQUARE),
    "interpolate": functional("interpolate", IMAGE, scale_factor=2, mode="bilinear"),
    "grid_sample": functional("grid_sample", (1, 1, 4, 4), (1, 2, 2, 2), align_corners=False),
    "avg_pool2d": functional("avg_pool2d", IMAGE, kernel_size=2),
    "avg_pool3d": functional("avg_pool3d", (1, 1, 4, 4, 4), kernel_size=2),
    "adaptive_avg_pool3d": functional("adaptive_avg_pool3d", (1, 1, 4, 4, 4), output_size=2),
    "adaptive_max_pool2d": functional("adaptive_max_pool2d", IMAGE, output_size=2),
    "max_pool2d": functional("max_pool2d", IMAGE, kernel_size=2),
    "unfold": functional("unfold", IMAGE, kernel_size=2),
    "mse_loss": functional("mse_loss", SQUARE, SQUARE),
    "l1_loss": functional("l1_loss", SQUARE, SQUARE),
    "smooth_l1_loss": functional("smooth_l1_loss", SQUARE, SQUARE),
    "huber_loss": functional("huber_loss", SQUARE, SQUARE),
    "kl_div": functional("kl_div", SQUARE, SQUARE, reduction="sum"),
    "poisson_nll_loss": functional("poisson_nll_loss", SQUARE, SQUARE),
    "gaussian_nll_loss": functional("gaussian_nll_loss", SQUARE, SQUARE, SQUARE),
    "cross_entropy": functional("cross_entropy", SQUARE, after=[CLASSES]),
    "nll_loss": functional("nll_loss", SQUARE, after=[CLASSES]),
    "binary_cross_entropy": functional("binary_cross_entropy", SQUARE, SQUARE),
    "binary_cross_entropy_with_logits": functional("binary_cross_entropy_with_logits", SQUARE, SQUARE),
    "hinge_embedding_loss": functional("hinge_embedding_loss", SQUARE, after=[SIGNS]),
    "soft_margin_loss": functional("soft_margin_loss", SQUARE, after=[SIGNS]),
    "multi_margin_loss": functional("multi_margin_loss", SQUARE, after=[CLASSES]),
    "margin_ranking_loss": functional("margin_ranking_loss", (4,), (4,), after=[SIGNS[0]]),
    "cosine_embedding_loss": functional("cosine_embedding_loss", SQUARE, SQUARE, after=[SIGNS[0]]),
    "triplet_margin_loss": functional("triplet_margin_loss", SQUARE, SQUARE, SQUARE),
}


def ones(library):
    return library[2](np.ones(4, np.float32)), library[2](np.ones(4, np.float32))


OURS, THEIRS = (gg, F, gg.tensor), (torch, TF, torch.tensor)


def run(library, function, low, dtype=None):
    """The function's result inside autocast, of float32 or 16-bit values, as (name of its dtype, float64 values)."""
    random = np.random.default_rng(0)

    def values(*shape):
        value = library[2](random.random(shape, np.float32) * 0.5 + 0.25)
        return value.to(dtype=dtype or library[0].bfloat16) if low else value

    with library[0].autocast("cpu", dtype=dtype):
        result = function(library, values)
    result = result.detach()
    number = result.to(dtype=library[0].float64).numpy()
    return str(result.dtype).removeprefix("torch."), number


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("low", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_dtypes_and_values_are_pytorchs(name, low):
    ours, theirs = run(OURS, FUNCTIONS[name], low), run(THEIRS, FUNCTIONS[name], low)
    assert ours[0] == theirs[0]
    ddof = {"rtol": 0.5, "atol": 0.5} if name == "var" else {"rtol": 2e-2, "atol": 2e-2}  # NumPy's var divides by n
    np.testing.assert_allclose(ours[1], theirs[1], **ddof)


def test_float16_on_the_cpu():
    a = gg.ones(3, 3)
    with gg.autocast("cpu", dtype=gg.float16):
        assert amp.is_autocast_enabled("cpu") and amp.get_autocast_dtype("cpu") == gg.float16
        assert (a @ a).dtype == gg.float16
        assert (a.double() @ a.double()).dtype == gg.float64
    assert not amp.is_autocast_enabled("cpu") and amp.get_autocast_dtype("cpu") == gg.bfloat16


CUDA = {
    "float16": [lambda a: a @ a, lambda a: F.linear(a, a), lambda a: F.conv1d(a[None], a[:, :, None])],
    "float32": [
        gg.exp, gg.log, lambda a: a**2, lambda a: F.softmax(a, 1), lambda a: F.log_softmax(a, 1), lambda a: a.sum(),
        lambda a: a.prod(), lambda a: a.cumsum(0), lambda a: F.layer_norm(a, (4,)), lambda a: F.mse_loss(a, a),
        lambda a: F.cross_entropy(a, gg.tensor(CLASSES, device=a.device)), lambda a: F.cosine_similarity(a, a),
    ],
    "float16 ": [
        F.relu, gg.tanh, lambda a: a * a, lambda a: a.mean(), lambda a: F.batch_norm(a, None, None, training=True),
    ],
}  # fmt: skip


@pytest.mark.parametrize("dtype", CUDA)
def test_policy_on_cuda(cuda, dtype):
    """As PyTorch documents it: what runs in float16, in float32, and in what it is given."""
    low = gg.ones(4, 4, device=cuda, dtype="float16") / 2
    with gg.autocast("cuda"):
        for function in CUDA[dtype]:
            assert function(low).dtype.name == dtype.strip()
            if dtype == "float16":
                assert function(low.float()).dtype.name == dtype
        assert (gg.ones(2, 2, device="cpu") @ gg.ones(2, 2, device="cpu")).dtype == gg.float32
        with pytest.raises(DTypeError, match="binary_cross_entropy_with_logits"):
            F.binary_cross_entropy(low, low)


@pytest.fixture
def cuda():
    """The GPU, or its stand-in on the CPU."""
    if not gg.cuda.is_available():
        pytest.skip("no cuda device, and no emulation")
    return gg.device("cuda")


def test_regions_nest_and_decorate():
    a = gg.ones(2, 2)

    @gg.autocast("cpu")
    def product():
        return (a @ a).dtype

    with gg.autocast("cpu"):
        with gg.autocast("cpu", enabled=False):
            assert (a @ a).dtype == gg.float32
        with gg.autocast("cuda"), gg.autocast("cpu", gg.float16):
            assert (a @ a).dtype == gg.float16
        assert (a @ a).dtype == gg.bfloat16
        assert product() == gg.bfloat16
    assert product() == gg.bfloat16
    assert (a @ a).dtype == gg.float32


def test_the_state_is_restored_after_an_error():
    with pytest.raises(ValueError, match="inside"), gg.autocast("cpu"):
        raise ValueError("inside")
    assert policy.mode.autocast is None


def network(library):
    layers = library.Sequential(library.Linear(4, 8), library.LayerNorm(8), library.ReLU(), library.Linear(8, 3))
    return layers


def test_gradients_are_pytorchs():
    torch.manual_seed(0)
    theirs, mine = network(torch.nn), network(nn)
    mine.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)
    with gg.autocast("cpu"):
        loss = F.cross_entropy(mine(gg.tensor(x)), gg.tensor(CLASSES % 3))
    with torch.autocast("cpu"):
        expected = TF.cross_entropy(theirs(torch.tensor(x)), torch.tensor(CLASSES % 3))
    loss.backward()
    expected.backward()
    assert loss.dtype == gg.float32 and loss.item() == pytest.approx(expected.item(), abs=2e-2)
    for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
        assert p.grad.dtype == gg.float32
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=5e-2, atol=2e-2)


def casts(function, **options):
    """How often a region casts something."""
    count = 0
    move = gg.Tensor.to

    def counted(self, *args, **kwargs):
        nonlocal count
        count += 1
        return move(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, gg.autocast("cpu", **options):
        patch.setattr(gg.Tensor, "to", counted)
        function()
    return count


def test_a_parameter_is_cast_once():
    w, x = nn.Parameter(gg.ones(2, 2)), gg.ones(2, 2).to(dtype="bfloat16")
    assert casts(lambda: [x @ w for _ in range(3)]) == 1
    assert casts(lambda: [x @ w for _ in range(3)], cache_enabled=False) == 3


def test_the_cache_sees_steps_and_backward():
    """A whole training loop inside one region uses the present values, and every graph is whole."""
    w = nn.Parameter(gg.ones(1, 1))
    x, seen = gg.ones(1, 1), []
    optimizer = optim.SGD([w], lr=0.5)
    with gg.autocast("cpu"):
        with gg.no_grad():
            assert not (x @ w).requires_grad
        for _ in range(3):
            optimizer.zero_grad()
            out = x @ w
            seen.append(out.item())
            out.sum().backward()
            out = (x @ w).sum()
            out.backward()
            optimizer.step()
        with gg.no_grad():
            assert (x @ w).item() == -2
            w.copy_(gg.ones(1, 1))
            assert (x @ w).item() == 1
    assert seen == [1.0, 0.0, -1.0]


def test_second_derivatives():
    x = gg.tensor([[0.5, 1.0], [1.5, 2.0]], requires_grad=True)
    with gg.autocast("cpu"):
        y = (x @ x).sum()
        (first,) = gg.grad(y, x, create_graph=True)
    (first * first).sum().backward()
    assert first.dtype == gg.float32
    z = x.detach().requires_grad_()
    (expected,) = gg.grad((z @ z).sum(), z, create_graph=True)
    (expected * expected).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), rtol=0.02)


def test_wrong_regions():
    with pytest.raises(DeviceError, match="'tpu'"):
        gg.autocast("tpu")
    with pytest.warns(UserWarning, match="disabled"):
        region = gg.autocast("cpu", dtype=gg.float32)
    with region:
        assert not amp.is_autocast_enabled("cpu")


def test_an_unknown_policy_is_refused(own_ops):
    with pytest.raises(DTypeError, match="unknown policy 'half'"):
        gg.op(lambda x: x, autocast="half")
    with pytest.raises(DTypeError, match="unknown policy 'tpu'"):
        gg.op(lambda x: x, autocast={"tpu": "low"})


def test_functions_of_ones_own():
    class Square(gg.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=gg.float32)
        def forward(ctx, x):
            ctx.inside = amp.is_autocast_enabled("cpu")
            assert x.dtype == gg.float32
            return x * x

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            assert not amp.is_autocast_enabled("cpu")
            return g

    class Product(gg.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu")
        def forward(ctx, x):
            return x @ x

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            assert amp.is_autocast_enabled("cpu")
            return g

    x = gg.ones(2, 2, requires_grad=True)
    with gg.autocast("cpu"):
        low = x @ x
        assert Square.apply(low).dtype == gg.float32
        out = Product.apply(x)
    assert out.dtype == gg.bfloat16
    out.sum().backward()
    assert x.grad is not None
    assert amp.is_autocast_available("cpu") and not amp.is_autocast_available("tpu")


# The loss scale


def scaled(library, scales, **options):
    """A parameter, its optimizer and the scaler of each library, with a first loss scaled."""
    if library is gg:
        p = nn.Parameter(gg.ones(3, dtype="float64"))
        made = p, optim.SGD([p], lr=0.5), amp.GradScaler("cpu", **options)
    else:
        p = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        made = p, torch.optim.SGD([p], lr=0.5), torch.amp.GradScaler("cpu", **options)
    return made


SETTINGS = {"init_scale": 8.0, "growth_factor": 3.0, "backoff_factor": 0.25, "growth_interval": 3}


def test_scales_grow_and_shrink_as_pytorchs():
    p, a, s = scaled(gg, None, **SETTINGS)
    q, b, t = scaled(torch, None, **SETTINGS)
    factors = [1.0, 2.0, np.inf, 1.0, 1.0, 1.0, 1.0, np.nan, np.inf, 0.5, 0.5, 0.5, 1.0]
    for i, factor in enumerate(factors * 2):
        a.zero_grad(), b.zero_grad()
        s.scale((p * factor).sum()).backward()
        t.scale((q * factor).sum()).backward()
        if i % 3 == 0:
            s.unscale_(a), t.unscale_(b)
            np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
        s.step(a), t.step(b)
        s.update(), t.update()
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
        assert s.state_dict() == t.state_dict()
    assert s.get_scale() == t.get_scale() != 8.0
    again = amp.GradScaler()
    again.load_state_dict(t.state_dict())
    assert again.state_dict() == s.state_dict()


def test_a_skipped_step_changes_nothing():
    p, a, s = scaled(gg, None)
    s.scale((p * np.inf).sum()).backward()
    assert s.step(a) is None
    assert p.tolist() == [1, 1, 1]
    s.update()
    assert s.get_scale() == 2.0**15
    s.update(4.0)
    assert s.get_scale() == 4.0


def test_two_optimizers_share_a_scale():
    p, a, s = scaled(gg, None)
    q = nn.Parameter(gg.ones(3))
    b = optim.SGD([q], lr=0.5)
    for loss in s.scale([(p * np.inf).sum(), q.sum()]):
        loss.backward()
    s.step(a), s.step(b)
    s.update()
    assert p.tolist() == [1, 1, 1] and q.tolist() == [0.5, 0.5, 0.5]
    assert s.get_scale() == 2.0**15


def test_outputs_of_every_form_are_scaled():
    s = amp.GradScaler("cpu", init_scale=4.0)
    low = gg.ones((), dtype="float16") * 60000
    assert s.scale(low).item() == 4 * 59999.0 + 4 * (low.item() - 59999.0)  # float32: it does not overflow
    one, (two, three) = s.scale((gg.ones(1), [gg.ones(1), gg.ones(1)]))
    assert [t.item() for t in (one, two, three)] == [4, 4, 4]
    assert [t.item() for t in s.scale(iter([gg.ones(1)]))] == [4]
    with pytest.raises(TypeError, match="int"):
        s.scale(3)


def test_disabled_scalers_do_nothing():
    p, a, s = scaled(gg, None, enabled=False)
    loss = p.sum()
    assert s.scale(loss) is loss
    loss.backward()
    s.unscale_(a)
    s.step(a)
    s.update()
    assert p.tolist() == [0.5, 0.5, 0.5] and s.state_dict() == {} and s.get_scale() == 1.0


def test_wrong_orders():
    p, a, s = scaled(gg, None)
    with pytest.raises(GradientError, match="scaled yet"):
        s.step(a)
    s.scale(p.sum())
    with pytest.raises(GradientError, match="no gradients"):
        s.step(a)
    with pytest.raises(GradientError, match="no gradients were checked"):
        s.update()
    s = amp.GradScaler("cpu")
    s.scale(p.sum()).backward()
    s.unscale_(a)
    with pytest.raises(GradientError, match=r"unscale_\(\) has been called"):
        s.unscale_(a)
    s.step(a)
    with pytest.raises(GradientError, match=r"step\(\) has been called"):
        s.step(a)
    with pytest.raises(GradientError, match="closures"):
        s.step(a, closure=lambda: None)
    with pytest.raises(GradientError, match="empty"):
        s.load_state_dict({})
    with pytest.raises(ValueError, match="growth_factor"):
        amp.GradScaler(growth_factor=1.0)
    p.data, p.grad = p.detach().half(), gg.ones(3, dtype="float16")
    s.update()
    with pytest.raises(ValueError, match="float16"):
        s.unscale_(a)


def test_a_scalar_parameter_is_unscaled():
    p = nn.Parameter(gg.tensor(2.0))
    optimizer, scaler = optim.SGD([p], lr=0.5), amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(p * p).backward()
    scaler.unscale_(optimizer)
    assert p.grad.item() == 4
    scaler.step(optimizer)
    assert p.item() == 0


def test_training_on_a_device(device):
    """Small gradients survive float16 with a scale, and vanish without."""
    w = nn.Parameter(gg.ones(4, 4, device=device))
    x = gg.ones(4, 4, device=device)
    optimizer, scaler = optim.SGD([w], lr=1.0), amp.GradScaler(device.type)
    with gg.autocast(device.type, dtype=gg.float16):
        loss = (x @ w).float().sum() * 1e-9
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert w.grad.dtype == gg.float32 and (w.grad.cpu().numpy() > 0).all()
    w.grad = None
    with gg.autocast(device.type, dtype=gg.float16):
        loss = (x @ w).float().sum() * 1e-9
    loss.backward()
    assert (w.grad.cpu().numpy() == 0).all()


def two_layers(device):
    """Two layers, one behind the other."""
    gg.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)).to(device)


def test_parameters_are_cast_together_on_cuda(cuda):
    """From the second step on, one launch casts what the first one cast, and one casts their gradients."""
    model, x = two_layers(cuda), gg.ones(2, 4, device=cuda)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    counts, losses = [], []
    for _ in range(3):
        optimizer.zero_grad()
        with gg.cuda.launches() as ran:
            with gg.autocast("cuda", dtype=gg.bfloat16):
                loss = model(x).float().sum()
            loss.backward()
        optimizer.step()
        losses.append(loss.item())
        counts.append([ran.kernels[f"cast_all<{to}>"] for to in ("__nv_bfloat16, float", "float, __nv_bfloat16")])
    assert counts == [[4, 4], [1, 1], [1, 1]]
    assert len(set(losses)) == 3
    assert all(p.grad.dtype == gg.float32 for p in model.parameters())


def test_a_parameter_that_is_no_longer_used_gets_no_gradient(cuda):
    """It is cast with the others once more, and then not."""
    model, x = two_layers(cuda), gg.ones(2, 4, device=cuda)

    def step(part):
        for p in model.parameters():
            p.grad = None
        with gg.cuda.launches() as ran, gg.autocast("cuda", dtype=gg.float16):
            part(x).float().sum().backward()
        return [p.grad is not None for p in model.parameters()], ran.kernels["cast_all<__half, float>"]

    assert step(model) == ([True] * 4, 4)
    assert step(model[0]) == ([True, True, False, False], 1)
    assert step(model[0]) == ([True, True, False, False], 1)
    assert step(model) == ([True] * 4, 3)
    assert step(model) == ([True] * 4, 1)


def test_casts_together_are_those_of_single_ones(cuda):
    x = gg.tensor([[1.0, -2.0, 3.0, 0.5]], device=cuda)

    def gradients(model):
        with gg.autocast("cuda", dtype=gg.bfloat16):
            loss = model(x).float().square().sum()
        found = gg.grad(loss, list(model.parameters()), create_graph=True)
        again = gg.grad(sum((g.float() ** 2).sum() for g in found), list(model.parameters()), allow_unused=True)
        return [None if g is None else g.tolist() for g in (*found, *again)]

    model = two_layers(cuda)
    single, together = gradients(model), gradients(model)
    assert single == together == gradients(two_layers("cpu").to(cuda))


def test_one_launch_unscales_all_gradients(cuda):
    params = [nn.Parameter(gg.ones(n, device=cuda)) for n in (1, 7, 9000, 16)]
    optimizer, scaler = optim.SGD(params, lr=1.0), amp.GradScaler("cuda", init_scale=4.0)
    other = optim.SGD([nn.Parameter(gg.ones(2, device=cuda))], lr=1.0)
    bad = [None, (2, 8999), None, (0, 0), None]
    for number, place in enumerate(bad):
        scaler.scale(gg.ones(1, device=cuda))
        for p in (*params, *other.param_groups[0]["params"]):
            p.grad = gg.full(p.shape, 8.0, device=cuda)
        if place:
            params[place[0]].grad[place[1]] = gg.inf if number == 1 else gg.nan
        before = [p.tolist() for p in params]
        scaler.unscale_(other)
        with gg.cuda.launches() as ran:
            scaler.unscale_(optimizer)
        assert ran.kernels == {"unscale<float>": 1} and not ran.arrays and (number == 0 or not ran.fills), ran
        assert params[1].grad.tolist() == [2.0] * 7
        scaler.step(optimizer), scaler.step(other)
        assert (before == [p.tolist() for p in params]) == bool(place)
        scaler.update(4.0)
