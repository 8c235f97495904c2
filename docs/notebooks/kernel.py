# %% [markdown]
# # Your own CUDA kernel, without a GPU
#
# We write a CUDA kernel that blurs images, make it a differentiable op, plant mistakes in it and see them found, and
# then use its gradient to sharpen a photograph again. No GPU is needed: gpugrad compiles the same source for the CPU
# and runs it with CUDA's blocks, threads, barriers and warps. It is slow there, but it sees every access to memory,
# which a GPU does not.
#
# `GPUGRAD_CUDA=emulate` makes `device="cuda"` that emulated GPU. It has to be set before gpugrad is imported.

# %%
# %matplotlib inline
import os
import re

os.environ.setdefault("GPUGRAD_CUDA", "emulate")

import gpugrad as gg
from gpugrad import op, xp
from gpugrad.autograd.check.checks import check_op

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # a small picture and few steps, to see that everything runs
gg.manual_seed(0)
print("emulated" if gg.cuda.is_emulated() else "a real GPU")

# %% [markdown]
# ## 1. Say what is right
#
# The blur weighs each pixel's neighbourhood with the binomial numbers 1, 4, 6, 4, 1 (over 16) down and across; outside
# of the image everything is 0:
#
# $$y_{rc} = \frac1{256}\sum_{i=-2}^{2}\sum_{j=-2}^{2} w_i\,w_j\;x_{r+i,\,c+j},\qquad w = (1, 4, 6, 4, 1).$$
#
# The op's *body* is this formula in array operations. It is short and slow, it runs on any device, and it is what the
# kernel will be compared with. `samples` says on which inputs: here sizes of less than a tile, of several tiles and a
# part, of one pixel, and of none.
#
# The gradient needs no thought. $B$ is linear, so the rule is $\bar x = B^\top\bar y$; and since $w_i = w_{-i}$, pixel
# $p$ counts for $q$ as much as $q$ for $p$: $B^\top = B$. The blur is its own gradient rule.


# %%
def blurred(x):
    height, width = x.shape[1:]
    padded = xp(x).pad(x, ((0, 0), (2, 2), (2, 2)))
    total = 0
    for i, down in enumerate((1, 4, 6, 4, 1)):
        for j, across in enumerate((1, 4, 6, 4, 1)):
            total = total + padded[:, i : i + height, j : j + width] * (down * across / 256)
    return total


def declared():
    """A new op of that body, so that we can give it other kernels again and again."""

    @op(samples=lambda s: [s.case(s(1, 5, 7)), s.case(s(2, 17, 20)), s.case(s(1, 1, 1)), s.case(s(0, 3, 3))])
    def blur(x):
        """Binomial blur of images, 0 outside: (N, H, W) -> (N, H, W)."""
        return blurred(x)

    return blur.vjp(x=lambda g: blurred(g))


# %% [markdown]
# ## 2. Write the kernel
#
# Each output pixel reads 25 inputs, and neighbours read mostly the same ones. So a block of 256 threads takes a tile of
# 16 x 16 pixels, brings the tile and a rim of 2 into *shared memory* once (20 x 20 numbers), waits until all of it is
# there, and then computes. `acc_t`, `load` and `store` come from gpugrad's `common.cuh`: 16-bit floats are added up in
# float32.

# %%
SOURCE = """\
#include "common.cuh"

constexpr int TILE = 16, RIM = 2, SIDE = TILE + 2 * RIM;

template <typename T> __global__ void blur(T* out, const T* x, int64 height, int64 width) {
    __shared__ acc_t<T> tile[SIDE][SIDE];
    const int64 top = blockIdx.y * TILE, left = blockIdx.x * TILE, image = blockIdx.z * height * width;

    for (int i = threadIdx.x; i < SIDE * SIDE; i += TILE * TILE) {
        const int64 row = top + i / SIDE - RIM, column = left + i % SIDE - RIM;
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        tile[i / SIDE][i % SIDE] = inside ? load(x[image + row * width + column]) : acc_t<T>(0);
    }
    __syncthreads();

    const int r = threadIdx.x / TILE, c = threadIdx.x % TILE;
    if (top + r >= height || left + c >= width) return;
    const int weights[5] = {1, 4, 6, 4, 1};
    acc_t<T> sum = 0;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) sum += weights[i] * weights[j] * tile[r + i][c + j];
    out[image + (top + r) * width + left + c] = store<T>(sum / 256);
}
"""

# %% [markdown]
# ## 3. Attach it
#
# The calls are written as in C++; their arguments are Python expressions over the op's own names. `backward` is the
# same kernel: it reads `g` and writes `gx`.


# %%
def with_kernel(source):
    blur = declared()
    gg.cuda.attach(
        blur,
        source,
        forward="blur<T>(out, x, x.shape[1], x.shape[2])",
        backward="blur<T>(gx, g, g.shape[1], g.shape[2])",
        grid=["-(-x.shape[2] // 16)", "-(-x.shape[1] // 16)", "x.shape[0]"],
        block=256,
    )
    return blur


blur = with_kernel(SOURCE)
height = 32 if QUICK else 128
photo = gg.data.load_photograph("china", height).mean(0, keepdims=True)  # (1, H, W): grey
soft = photo.cuda()
for _ in range(3):
    soft = blur(soft)
on_cpu = declared()(declared()(declared()(photo)))
difference = abs(soft.cpu() - on_cpu).max().item()
print(f"the kernel's result and the body's differ by at most {difference:.1e}")
gg.viz.image_grid([photo, soft.cpu()], titles=["photograph", "blurred three times by the kernel"], side=4)

# %% [markdown]
# ## 4. Check it
#
# One result on one picture proves little. `check_op` (at a shell: `gpugrad check FILE.py`) runs everything that the
# declaration implies: values, first and second derivatives, 16-bit floats, strides, sizes, what is kept alive, whether
# reruns give the same bits. Under `options(check=True)` the emulator also looks at *every access* of every thread.


# %%
def report(blur, source, checks=None):
    """The verdict of each check, the first message of those that failed, and the lines of the source that it names."""
    with gg.cuda.emulator.options(check=True):
        results = check_op(blur, "cuda", checks)
    verdicts = {}
    for result in results:
        verdicts[result.check] = verdicts.get(result.check, True) and result.passed
    print("   ".join(f"{check}: {'ok' if passed else 'FAILED'}" for check, passed in verdicts.items()))
    messages = [result.message for result in results if not result.passed]
    for message in messages[:1]:
        print(message)
        for line in dict.fromkeys(re.findall(r"blur\.cu:(\d+)", message)):
            print(f"{line:>4}: {source.splitlines()[int(line) - 1].strip()}")
    return messages


no_problems = report(blur, SOURCE, ["forward", "gradient"] if QUICK else None)

# %% [markdown]
# ## 5. A race
#
# Now the classic mistake: forget the barrier. A thread may then compute before others have brought their part of the
# tile.

# %%
without_barrier = SOURCE.replace("    __syncthreads();\n", "")
racy = with_kernel(without_barrier)
race = report(racy, without_barrier, ["forward"])

# %% [markdown]
# The message names the two accesses, their threads and lines, and what is missing between them.
#
# Why not just look at the results? Because a race need not show. On a GPU, the 32 threads of a warp advance together,
# so most of a tile is there in time, most of the time. The emulator can run threads in any order; here are three of
# them. Each gives another picture (black where a sum met shared memory that nobody had written yet: the emulator fills
# it with NaN). The kernel with its barrier gives the same bits in all three.

# %%
pictures, right, orders = [], [], ["forward", "reverse", "random"]
for order in orders:
    with gg.cuda.emulator.options(schedule=order):
        pictures.append(racy(photo.cuda()).cpu().nan_to_num())
        right.append(blur(photo.cuda()).tolist())
print("the kernel with its barrier gives the same in every order:", right[0] == right[1] == right[2])
gg.viz.image_grid(pictures, titles=[f"without the barrier: {order}" for order in orders], side=3, columns=3)

# %% [markdown]
# ## 6. A stray access
#
# The second classic: forget that images have edges. The reads beyond them mostly hit *something*, so the program runs
# on and the border is wrong.

# %%
without_edge = SOURCE.replace("inside ? load(", "load(").replace(") : acc_t<T>(0);", ");")
stray = with_kernel(without_edge)
strayed = report(stray, without_edge, ["forward"])

# %% [markdown]
# ## 7. Use the gradient: sharpen
#
# Blurring loses detail, and noise covers what is left. But we know *how* the picture was blurred, and can ask: which
# picture $x$, blurred three times, gives what we see, $y$? That is a minimum,
#
# $$x^* = \arg\min_x \;\tfrac12\lVert B^3x - y\rVert^2 + \lambda\,\lVert\nabla x\rVert^2,$$
#
# where the second term, the squared differences of neighbours, keeps noise from being sharpened too. Its gradient is
# three launches of our kernel forward and three backward; gpugrad does the rest.

# %%
seen = soft + 0.003 * gg.randn(*soft.shape, device="cuda")
guess = seen.clone().requires_grad_()
optimizer = gg.optim.Adam([guess], lr=0.04)
errors = []
for _ in range(3 if QUICK else 80):
    optimizer.zero_grad()
    rough = ((guess[:, 1:] - guess[:, :-1]) ** 2).sum() + ((guess[:, :, 1:] - guess[:, :, :-1]) ** 2).sum()
    loss = 0.5 * ((blur(blur(blur(guess))) - seen) ** 2).sum() + 3e-4 * rough
    loss.backward()
    optimizer.step()
    errors.append((guess.detach().cpu() - photo).square().mean().item() ** 0.5)
before = (seen.cpu() - photo).square().mean().item() ** 0.5
print(f"root mean square error: {before:.4f} before, {errors[-1]:.4f} after {len(errors)} steps")
shown = {"photograph": photo, "blurred, with noise": seen.cpu(), "sharpened": guess.detach().cpu()}
gg.viz.image_grid(list(shown.values()), titles=list(shown), side=3, columns=3)

# %% [markdown]
# ## 8. What a GPU would run
#
# `launches` counts what a block of code runs on the device, whether that is a GPU or not. Six launches are the blur's,
# three forward and three backward; the others are gpugrad's own small kernels for the difference, the square and the
# sum.

# %%
with gg.cuda.launches() as ran:
    loss = 0.5 * ((blur(blur(blur(guess))) - seen) ** 2).sum()
    loss.backward()
print(ran)

# %% [markdown]
# On a machine with a GPU the same file runs there as it is: leave `GPUGRAD_CUDA` unset. `blur.as_torch()` and
# `blur.as_jax()` make the checked kernel a differentiable function of PyTorch and JAX. The emulator cannot tell how
# *fast* a kernel is; it can count what makes it slow, which is the subject of the guide to kernels.
