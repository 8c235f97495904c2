"""Functions of numbers for compiled loops, without branches, so that LLVM puts them into vectors.

Each is within 2 units in the last place over all numbers, right at 0, infinities, NaN and where results leave the normal
numbers; benchmarks/measuring/accuracy.py measures it.
"""

from .language import per_precision, polynomial, power_of_digits, power_of_two, scalar

# exp(x) = 2^k exp(r), r = x - k log(2), |r| <= log(2) / 2. log(2) is a number with few digits, whose product with k is
# exact, and a rest. To round to an integer, _POINT is added, a number whose last digit is 1: then the digits are k's.
_LOG2_E = 1.4426950408889634
_LN_2_HIGH = per_precision(0.693359375, 0.6931471803691238)
_LN_2_LOW = per_precision(-2.12194440e-4, 1.9082149292705877e-10)
_POINT = per_precision(1.5 * 2.0**23, 1.5 * 2.0**52)
_BIAS = per_precision(127.0, 1023.0)  # of a number's exponent
# Where exp(x) is infinite or 0.
_EXP_MOST, _EXP_LEAST = per_precision(89.0, 710.0), per_precision(-104.0, -746.0)
_WEIGHT_LEAST = per_precision(-88.03, -709.09)  # k is -127 or -1023
_EXP = per_precision(
    polynomial(1.0, 1.0, 5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4),
    polynomial(*(1 / f for f in (1.0, 1.0, 2.0, 6.0, 24.0, 120.0, 720.0, 5040.0, 40320.0, 362880.0, 3628800.0, 39916800.0, 479001600.0))),
)  # fmt: skip


@scalar
def exp(x):
    """Return the exponential."""
    x = _EXP_MOST if x > _EXP_MOST else x
    x = _EXP_LEAST if x < _EXP_LEAST else x
    k = (x * _LOG2_E + _POINT) - _POINT
    r = (x - k * _LN_2_HIGH) - k * _LN_2_LOW
    half = (k * 0.5 + _POINT) - _POINT  # in two steps: 2^k itself may be no normal number
    return _EXP(r) * power_of_two(half) * power_of_two(k - half)


@scalar
def exp_weight(x):
    """Return the exponential of x <= 88 in fewer steps than `exp`; what is no normal number becomes 0."""
    x = _WEIGHT_LEAST if x < _WEIGHT_LEAST else x
    digits = x * _LOG2_E + (_POINT + _BIAS)
    k = digits - (_POINT + _BIAS)
    r = (x - k * _LN_2_HIGH) - k * _LN_2_LOW
    return _EXP(r) * power_of_digits(digits)  # at k = -127 it is 0
