"""gpugrad held to PyTorch's own tables of samples: `op_db`, `module_db` and `optim_db` of torch.testing.

PyTorch tests its functions, modules and optimizers by samples that its tables make. Here the same samples go through
gpugrad, in float64 (another dtype where a function takes only that), and the results are compared: values, gradients of
all inputs that require them, buffers, and for optimizers the parameters after some steps.

    pytest tests/opinfo                 a sample of them, as a part of the suite
    pytest tests/opinfo --whole         all of them
    python -m tests.opinfo              all of them, as a table; --absent lists the names that gpugrad does not have,
                                        --errors the error inputs that it accepts, NAME ... restricts it to those names

Names. `nn.functional.relu` is `gpugrad.nn.functional.relu`, `linalg.norm` is `gpugrad.linalg.norm`, and any other name
is gpugrad's function, or else a method of its Tensor. Where PyTorch's table calls a function of its own (`lambda self,
condition, other: torch.where(condition, self, other)`), that function runs with gpugrad in the place of torch. A name
that is none of these does not exist in gpugrad and is left out.

Differences on purpose. gpugrad's array functions have NumPy's meaning where a call means something in both libraries:
see `NUMPY_MEANING` in names.py. A sample of such a name must then have the value that NumPy itself gives. What PyTorch
answers in another way each time (random numbers, uninitialised memory) is compared in shape. Complex and sparse tensors
have no counterpart, and an input without axes or without elements may be refused, as NumPy does with axes of 0-d
arrays. Calls that PyTorch refuses and gpugrad takes are those that NumPy takes, and `ACCEPTED` in names.py.
"""
