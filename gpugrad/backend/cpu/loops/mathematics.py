"""Functions of numbers for compiled loops, without branches, so that LLVM puts them into vectors.

Each is within 2 units in the last place of every result, numbers below the normal ones included, and right at 0,
infinities and NaN: benchmarks/measuring/accuracy.py measures it. The polynomials are minimax fits (Remez) of the
relative error.
"""

from .language import (
    absolute,
    copysign,
    exponent,
    leading,
    mantissa,
    per_precision,
    polynomial,
    power_of_digits,
    power_of_two,
    scalar,
)

# exp(x) = 2^k exp(r), r = x - k log(2), |r| <= log(2) / 2. log(2) is a number with few digits, whose product with k is
# exact, and a rest. To round to an integer, _POINT is added, a number whose last digit is 1: then the digits are k's.
_LOG2_E = 1.4426950408889634
_LN_2 = 0.6931471805599453
_LN_2_HIGH = per_precision(0.693359375, 0.6931471803691238)
_LN_2_LOW = per_precision(-2.12194440e-4, 1.9082149292705877e-10)
_POINT = per_precision(1.5 * 2.0**23, 1.5 * 2.0**52)
_POINT_AND_BIAS = per_precision(1.5 * 2.0**23 + 127, 1.5 * 2.0**52 + 1023)
# Where exp(x) is infinite or 0; where k is the exponent's least, one below normal numbers.
_EXP_MOST, _EXP_LEAST = per_precision(89.0, 710.0), per_precision(-104.0, -746.0)
_WEIGHT_LEAST = per_precision(-88.03, -709.09)
_POWER_MOST, _POWER_LEAST = per_precision(129.0, 1025.0), per_precision(-151.0, -1076.0)
_EXP = per_precision(  # (exp(r) - 1 - r) / r^2
    polynomial(
        0.500000010698869, 0.16666506777122586, 0.04166616825756725, 0.008370314562786703, 0.0013952958083094586
    ),
    polynomial(
        0.5000000000000016, 0.16666666666666707, 0.04166666666649033, 0.008333333333302809, 0.0013888888954153745,
        0.00019841269926824232, 2.480148209301511e-05, 2.7557207940619338e-06, 2.763421325250482e-07,
        2.512048381196177e-08,
    ),
)  # fmt: skip


@scalar
def exp(x):
    """Return the exponential."""
    return _exp_times(1.0, x, 0.0)


@scalar
def _exp_times(factor, x, rest):
    """Return factor exp(x + rest), rounded once; the rest is so small that x + rest has lost digits of it."""
    x = _EXP_MOST if x > _EXP_MOST else x
    x = _EXP_LEAST if x < _EXP_LEAST else x
    k = ((x + rest) * _LOG2_E + _POINT) - _POINT
    r = (x - k * _LN_2_HIGH) - k * _LN_2_LOW + rest
    half = (k * 0.5 + _POINT) - _POINT  # in two steps: 2^k itself may be no normal number
    return (factor + factor * (r + r * r * _EXP(r))) * power_of_two(half) * power_of_two(k - half)


@scalar
def expm1_below(x):
    """Return exp(x) - 1 for x <= 0, exact for small x."""
    x = _WEIGHT_LEAST if x < _WEIGHT_LEAST else x
    digits = x * _LOG2_E + _POINT_AND_BIAS
    k = digits - _POINT_AND_BIAS
    r = (x - k * _LN_2_HIGH) - k * _LN_2_LOW
    power = power_of_digits(digits)
    return power * (r + r * r * _EXP(r)) + (power - 1.0)


@scalar
def exp_weight(x):
    """Return the exponential of x <= 88 in fewer steps than `exp`; what is no normal number becomes 0."""
    x = _WEIGHT_LEAST if x < _WEIGHT_LEAST else x
    digits = x * _LOG2_E + _POINT_AND_BIAS
    k = digits - _POINT_AND_BIAS
    r = (x - k * _LN_2_HIGH) - k * _LN_2_LOW
    return (1.0 + (r + r * r * _EXP(r))) * power_of_digits(digits)


@scalar
def exp2(x):
    """Return 2^x."""
    x = _POWER_MOST if x > _POWER_MOST else x
    x = _POWER_LEAST if x < _POWER_LEAST else x
    k = (x + _POINT) - _POINT
    r = (x - k) * _LN_2
    half = (k * 0.5 + _POINT) - _POINT
    return (1.0 + (r + r * r * _EXP(r))) * power_of_two(half) * power_of_two(k - half)


# log(x) = k log(2) + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2), with s = f / (2 + f): log(1 + f) = f - f^2 / 2 +
# s (f^2 / 2 + R(s^2)). From FreeBSD's msun, e_log.c and k_logf.h (Sun Microsystems, 1993).
_LOG_HIGH = per_precision(6.9313812256e-01, 6.93147180369123816490e-01)
_LOG_LOW = per_precision(9.0580006145e-06, 1.90821492927058770002e-10)
_LOG = per_precision(
    polynomial(0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841),
    polynomial(
        6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
        1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
    ),
)  # fmt: skip
_NORMAL = per_precision(2.0**-126, 2.0**-1022)  # the least normal number
_INFINITY, _NAN = float("inf"), float("nan")


@scalar
def log(x):
    """Return the natural logarithm."""
    small = x < _NORMAL
    normal = x * 2.0**54 if small else x
    k = exponent(normal) - (54.0 if small else 0.0)
    f = mantissa(normal) - 1.0
    s = f / (2.0 + f)
    square = s * s
    half = 0.5 * f * f
    out = k * _LOG_HIGH - ((half - (s * (half + square * _LOG(square)) + k * _LOG_LOW)) - f)
    out = out if x < _INFINITY else x  # infinity, NaN
    out = -_INFINITY if x == 0.0 else out
    return _NAN if x < 0.0 else out


# log(1 + x) = 2 atanh(s), s = x / (2 + x), for 0 <= x <= 1: (2 atanh(s) - 2 s) / s^3.
_ATANH = per_precision(
    polynomial(0.6666641466127546, 0.40021648807107635, 0.2799955795906785, 0.28023887773349804),
    polynomial(
        0.6666666666666633, 0.4000000000015177, 0.28571428548380157, 0.2222222394396962, 0.1818174465260294,
        0.15386547399993097, 0.13301106422104195, 0.12105243101155191, 0.08343014490297515, 0.17014412968320755,
    ),
)  # fmt: skip


@scalar
def softplus(x):
    """Return log(1 + exp(x))."""
    e = exp(-absolute(x))
    s = e / (2.0 + e)
    square = s * s
    return (x if x > 0.0 else 0.0) + (2.0 * s + s * (square * _ATANH(square)))


# tanh(x) = x + x^3 P(x^2) for small x, else 1 - 2 / (exp(2 x) + 1).
_TANH_NEAR, _TANH_MOST = 0.4, 20.0
_TANH = per_precision(
    polynomial(
        -0.33333278315176906, 0.13331328954739016, -0.053729229564336956, 0.020602006247374186, -0.005660787447147584
    ),
    polynomial(
        -0.33333333333332754, 0.13333333333248432, -0.053968253924889985, 0.021869487429831004, -0.008863219088290394,
        0.003591973766777144, -0.0014548800105730541, 0.0005860590919388526, -0.00022804540934234237,
        7.655638098382342e-05, -1.5785962302636087e-05,
    ),
)  # fmt: skip


@scalar
def tanh(x):
    """Return the hyperbolic tangent."""
    size = absolute(x)
    size = _TANH_MOST if size > _TANH_MOST else size
    square = size * size
    near = size + size * (square * _TANH(square))
    far = 1.0 - 2.0 / (exp_weight(2.0 * size) + 1.0)
    return copysign(near if square < _TANH_NEAR else far, x)


@scalar
def sigmoid(x):
    """Return 1 / (1 + exp(-x))."""
    e = exp(-absolute(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


@scalar
def sigmoid_weight(x):
    """Return `sigmoid` in fewer steps; what is no normal number becomes 0."""
    e = exp_weight(-absolute(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


# erfc(z) = exp(-z^2) u P((2.5 - z) u), u = 1 / (2.5 + z), for z >= 0. The square of z is made of an exact one and a
# rest, for its last digit counts in exp. erf(x) = x + x P(x^2) for small x.
_ERFC = per_precision(
    polynomial(
        1.0540318196411915, 0.8046517345946042, 0.45391411443433277, 0.1712545640503632, 0.02836105156638724,
        -0.008420950106283069, -0.004805603470936907, 0.0005254318111919696, 0.0006314072081853135,
        -0.0001435495616132382,
    ),
    polynomial(
        1.054031820305718, 0.8046518494391488, 0.4539141166480809, 0.17125114524604218, 0.028361550132817208,
        -0.008393044302231133, -0.004818785540664314, 0.00043920826268123745, 0.0007026939146350579,
        -5.8307759201204964e-05, -0.00011260605969152658, 1.953191323189301e-05, 1.82493520900268e-05,
        -6.753162488874878e-06, -2.345479170385159e-06, 1.9602912368352313e-06, 1.7068411810380167e-08,
        -4.453261348733151e-07, 1.1190679199784053e-07, 6.847454059264677e-08, -3.44072540408611e-08,
        -4.844649251225105e-09, 3.926059168584663e-09,
    ),
)  # fmt: skip
_EXACT_ERFC = per_precision(  # exp(z^2) erfc(z) (0.5625 + z), almost constant: it takes a division more and loses less
    polynomial(
        0.6455944877865315, 0.08441189642320468, -0.03377997945977326, -0.07099942849992416,
        -0.048992205599784885, -0.016138161532412102, 0.00032673230838876146, 0.0021515481489579854,
        0.0001845652843073481, -0.00029401171539045635, 3.4554191807230846e-05,
    ),
    polynomial(
        0.6455944899372522, 0.08441192741301298, -0.03378019521071161, -0.07100039373793295,
        -0.04898836932697548, -0.016130840311441838, 0.000300798533599209, 0.002136294454128865,
        0.0002602067120320639, -0.0003080073432402093, -4.637627305694444e-05, 5.559775217367658e-05,
        3.606458486295442e-06, -1.1206110045141503e-05, 1.1868183451241985e-06, 2.104222460735825e-06,
        -7.59403544317493e-07, -2.6955566865573087e-07, 2.504981656782457e-07, -1.251397790409104e-08,
        -5.163981711665023e-08, 1.7372525873776716e-08, 4.1446424883164215e-09, -3.4181783058512397e-09,
        5.277652470185655e-10,
    ),
)  # fmt: skip
_ERF = per_precision(
    polynomial(
        0.1283791657267283, -0.3761262582433713, 0.1128358514985354, -0.026853811987734805, 0.005188327784311607,
        -0.0008010194475103852, 7.853864099722726e-05,
    ),
    polynomial(
        0.12837916709551256, -0.3761263890318352, 0.11283791670944185, -0.026866170643111503, 0.005223977606118712,
        -0.0008548325929323979, 0.00012055293577135585, -1.4924712305740118e-05, 1.644713160924535e-06,
        -1.6206313997772758e-07, 1.3710981246788567e-08, -7.779469781253706e-10,
    ),
)  # fmt: skip
_ERFC_MOST = per_precision(10.5, 27.5)  # where erfc is 0
_ERF_MOST = 6.0  # where erf is 1
_NORMAL_MOST = per_precision(14.5, 39.0)  # where the normal distribution is 0
_ROOT_HALF = 0.7071067811865476
_TURN = 3.5355339059327378  # 2.5 sqrt(2)


@scalar
def _scaled_erfc(z):
    """Return exp(z^2) erfc(z) for z >= 0."""
    u = 1.0 / (2.5 + z)
    return u * _ERFC((2.5 - z) * u)


@scalar
def erfc(x):
    """Return 1 - erf(x), accurate also if that is small."""
    z = absolute(x)
    z = _ERFC_MOST if z > _ERFC_MOST else z
    high = leading(z)
    scaled = _EXACT_ERFC((2.5 - z) / (2.5 + z)) / (0.5625 + z)
    out = _exp_times(scaled, -high * high, -(z - high) * (z + high))
    out = 2.0 - out if x < 0.0 else out
    return 1.0 - _erf_near(x) if z < 0.5 else out


@scalar
def erf(x):
    """Return the error function."""
    size = absolute(x)
    size = _ERF_MOST if size > _ERF_MOST else size
    far = 1.0 - exp_weight(-size * size) * _scaled_erfc(size)
    return copysign(_erf_near(size) if size < 1.0 else far, x)


@scalar
def _erf_near(x):
    """Return erf(x) for |x| <= 1."""
    return x + x * _ERF(x * x)


@scalar
def normal(x):
    """Return (Phi(x), exp(-x^2 / 2)), Phi being the normal distribution, to about |x| units in the last place.

    What is no normal number becomes 0.
    """
    size = absolute(x)
    size = _NORMAL_MOST if size > _NORMAL_MOST else size
    weight = exp_weight(-0.5 * size * size)
    u = 1.0 / (_TURN + size)
    tail = weight * _ROOT_HALF * (u * _ERFC((_TURN - size) * u))
    return (tail if x < 0.0 else 1.0 - tail), weight
