"""For which sizes a compiled loop runs instead of NumPy, as measured: the only place that says it."""

from numpy._core._multiarray_umath import __cpu_features__ as FEATURES  # what NumPy itself goes by

# Elements from which a loop runs. A layer norm of 128 takes 26 us instead of 98, GELU 14 instead of 40, softmax 17
# instead of 24 (AVX2). A program of smaller arrays only is spared the compiling, or the 10 ms of loading the code.
LEAST = 1 << 7
NEVER = 1 << 62  # more than any array has

# Exceptions: (elements with AVX-512, elements without). With AVX-512 NumPy's own functions use it.
EXCEPTIONS: dict[str, tuple[int, int]] = {}


def least(name: str, setting: str) -> int:
    """Return the elements from which the loop of this name runs if GPUGRAD_LOOPS has this setting."""
    if setting != "on":
        return 1 if setting == "always" else NEVER + 1
    wide, narrow = EXCEPTIONS.get(name, (LEAST, LEAST))
    return wide if FEATURES.get("AVX512_SKX") else narrow
