# %% [markdown]
# # Training on two ranks
#
# Several processes, each with its own part of the data, train one network. In this tutorial two of them do it on this
# machine, and we hold them to the strictest standard there is: *the same numbers as one process*. Needs
# `pip install 'gpugrad[mpi]'`.
#
# A notebook is one process. So the programs below are written to files and started by `gpugrad launch -n 2`, which is
# how one would start them at a shell; what each process prints comes back with its number, its *rank*, in front.

# %%
# %matplotlib inline
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import gpugrad as gg

QUICK = bool(os.environ.get("GPUGRAD_QUICK"))  # few steps, to see that everything runs
folder = Path(tempfile.mkdtemp())


def launch(program, *arguments, ranks=2):
    """Run a program on several ranks; returns its exit status and what it printed."""
    script = folder / "program.py"
    script.write_text(program)
    command = [sys.executable, "-m", "gpugrad", "launch", "-n", str(ranks), str(script), *map(str, arguments)]
    path = os.pathsep.join([str(Path(gg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    lines = sorted(done.stdout.replace(f"{folder}{os.sep}", "").splitlines(), key=lambda line: line[:3])
    return done.returncode, "\n".join(lines)


# %% [markdown]
# ## Ranks, and the one operation that matters
#
# Both processes run the same program; what tells them apart is `get_rank()`. They share no memory. All that they can do
# is to call a *collective* together, and the one that training needs is `all_reduce`: everybody gives an array,
# everybody gets the sum (or the mean).

# %%
status, said = launch("""
import gpugrad as gg
from gpugrad import distributed as dist

dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
x = gg.tensor([1.0, 10.0]) * (rank + 1)
print(f"rank {rank} of {size} has  {x.tolist()}")
dist.all_reduce(x)
print(f"rank {rank} of {size} gets {x.tolist()}")
""")
print(said)

# %% [markdown]
# ## Data parallel
#
# The loss is a mean over the batch. If rank $r$ has the part $B_r$ of a batch $B$, all parts of the same size, then
#
# $$\nabla L = \frac1{|B|}\sum_{n\in B}\nabla \ell_n
# = \frac1R\sum_{r=1}^{R}\Bigl(\frac1{|B_r|}\sum_{n\in B_r}\nabla \ell_n\Bigr):$$
#
# the gradient of the whole batch is the *mean of the ranks' gradients*. So every rank holds the whole network, computes
# the gradient of its part, takes part in one `all_reduce` of gradients, and makes the same step as all others. That is
# all of `DistributedDataParallel`, except that it begins to reduce the last layers' gradients while backward still
# computes the first ones'.
#
# The program trains on as many ranks as it is started with. `batch` is always the whole batch; each rank takes every
# R-th sample of it, beginning with its own.

# %%
TRAIN = """
import json, sys
import gpugrad as gg
from gpugrad import distributed as dist, nn

steps, target = int(sys.argv[1]), sys.argv[2]
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()

train, _ = gg.data.load_digits(8)
images, labels = train.tensors[0].double().reshape(-1, 64), train.tensors[1]
gg.manual_seed(0)                                      # the same network on every rank
network = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)).double()
model = dist.DistributedDataParallel(network)
optimizer = gg.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
losses = []
for step in range(steps):
    batch = [(64 * step + i) % len(images) for i in range(64)]
    mine = batch[rank::size]
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images[mine]), labels[mine])
    loss.backward()                                    # the gradients are averaged while it runs
    optimizer.step()
    mean = loss.detach()
    dist.all_reduce(mean, "avg")                       # to look at: the loss of the whole batch
    losses.append(mean.item())

weights = network[0].weight.detach()
print(f"rank {rank}: {len(mine)} samples of each batch, loss {losses[0]:.4f} -> {losses[-1]:.4f}, "
      f"weights' sum {weights.sum().item():.15f}")
if rank == 0:
    with open(target, "w") as file:
        json.dump(losses, file)
dist.destroy_process_group()
"""

steps = 10 if QUICK else 200
losses = {}
for ranks in (1, 2):
    status, said = launch(TRAIN, steps, folder / f"{ranks}.json", ranks=ranks)
    print(f"-- {ranks} process{'es' * (ranks > 1)}, exit status {status}\n{said}")
    losses[ranks] = json.loads((folder / f"{ranks}.json").read_text())

# %% [markdown]
# The two ranks end with the same weights, to the last digit: they made the same steps from the same mean gradients. And
# the losses of two processes are those of one, up to the order in which sums were rounded:

# %%
apart = np.abs(np.subtract(losses[1], losses[2]))
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.semilogy(losses[1], linewidth=4, alpha=0.4, label="one process")
left.semilogy(losses[2], linewidth=1, label="two ranks")
left.set(xlabel="step", ylabel="loss")
left.legend()
left.grid(alpha=0.3)
right.semilogy(apart + 1e-18, color="tab:red", linewidth=1)
right.set(xlabel="step", ylabel="difference of the losses", ylim=(1e-18, 1e-12))
right.grid(alpha=0.3)
plt.show()
print(f"never more than {apart.max():.1e} apart")

# %% [markdown]
# ## What it costs
#
# Per step each rank sends and receives the gradients once: with a ring of $R$ ranks about $2\frac{R-1}{R}$ times their
# bytes. The computation is divided by $R$, the communication is not; so it pays if a step computes long enough for each
# weight, that is, for large batches. `gpugrad plan` does this arithmetic for a network and a machine.

# %%
plan = subprocess.run(
    [sys.executable, "-m", "gpugrad", "plan", "--params", "1.3e9", "--gpus", "8"], capture_output=True, text=True,
    env={**os.environ, "PYTHONPATH": str(Path(gg.__file__).parents[1])},
)  # fmt: skip
print(plan.stdout)

# %% [markdown]
# ## When ranks disagree
#
# The worst mistake in such programs does not crash: one rank calls another collective than the rest, or with another
# shape, and all wait for ever. With `checked=True` the ranks compare before each collective what they are about to do:

# %%
status, said = launch("""
import gpugrad as gg
from gpugrad import distributed as dist

dist.init_process_group(checked=True)
x = gg.ones(3 if dist.get_rank() == 0 else 4)     # a part that is not of the same size
dist.all_reduce(x)
""")
print(f"exit status {status}")
print(said[said.index("[0] gpugrad.errors.") :].partition("\n[1]")[0])  # what rank 0 says; rank 1 says the same
print(said.splitlines()[-1])
mismatch = status

# %% [markdown]
# A rank that raises, or is killed, ends all others too, with one message that says which and why.
#
# The next steps: `FullyShardedDataParallel` where the weights of one copy do not fit, `parallelize_gpt` where a layer
# does not, `save_sharded` for checkpoints that any number of ranks can read. On GPUs:
# `gpugrad launch -n 8 --gpus train.py` and `init_process_group("nccl")`; the program stays as it is.
