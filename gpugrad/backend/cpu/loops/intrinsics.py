"""The primitives of loops as LLVM instructions, none of them wider than the number: LLVM puts these into vectors.

Numba's own integers have 64 bits, its math.floor gives one, and its min and max of mixed types convert: any of these in
a loop over float32 numbers keeps it scalar.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

_DIGITS = {np.float32: 23, np.float64: 52}  # binary digits of a number after the first


def _call(name: str) -> Callable:
    def emit(builder: Any, real: type, *args: Any) -> Any:
        kind = args[0].type
        function = builder.module.declare_intrinsic(f"llvm.{name}", [kind], ir.FunctionType(kind, [kind] * len(args)))
        return builder.call(function, args)

    return emit


def _integer(real: type, value: int) -> Any:
    return ir.Constant(ir.IntType(32 if real is np.float32 else 64), value)


def _bits(builder: Any, real: type, x: Any) -> Any:
    return builder.bitcast(x, ir.IntType(32 if real is np.float32 else 64))


def _larger(builder: Any, real: type, x: Any, y: Any) -> Any:
    flags = "nnan", "nsz"  # without them LLVM does not know a maximum that it can take in vectors
    return builder.select(builder.fcmp_ordered(">", x, y, flags=flags), x, y, flags=flags)


def _power_of_digits(builder: Any, real: type, t: Any) -> Any:
    """Move the last digits into the exponent."""
    return builder.bitcast(builder.shl(_bits(builder, real, t), _integer(real, _DIGITS[real])), t.type)


def _power_of_two(builder: Any, real: type, k: Any) -> Any:
    point = 1.5 * 2.0 ** _DIGITS[real] + (127 if real is np.float32 else 1023)
    return _power_of_digits(builder, real, builder.fadd(k, ir.Constant(k.type, point)))


def _leading(builder: Any, real: type, x: Any) -> Any:
    mask = _integer(real, -(1 << (12 if real is np.float32 else 27)))
    return builder.bitcast(builder.and_(_bits(builder, real, x), mask), x.type)


def _shifted(builder: Any, real: type, x: Any) -> Any:
    """Return the bits of x times sqrt(2): the exponent's field is bias + k where x is in 2^k [sqrt(1/2), sqrt(2))."""
    one, half = np.array(1, real), np.array(0.5**0.5, real)
    bits = f"i{one.itemsize}"
    return builder.add(_bits(builder, real, x), _integer(real, int(one.view(bits) - half.view(bits))))


def _exponent(builder: Any, real: type, x: Any) -> Any:
    """Take the field out. It becomes a real number as the last digits of one, since AVX2 cannot convert an int64."""
    digits, bias = _DIGITS[real], 127 if real is np.float32 else 1023
    field = builder.lshr(_shifted(builder, real, x), _integer(real, digits))
    magic = ir.Constant(x.type, 1.5 * 2.0**digits)
    moved = builder.bitcast(builder.add(field, _bits(builder, real, magic)), x.type)
    return builder.fsub(moved, ir.Constant(x.type, 1.5 * 2.0**digits + bias))


def _mantissa(builder: Any, real: type, x: Any) -> Any:
    """Take k, the field less that of 1, from the exponent of x."""
    one = np.array(1, real)
    field = builder.and_(_shifted(builder, real, x), _integer(real, -(1 << _DIGITS[real])))
    power = builder.sub(field, _integer(real, int(one.view(f"i{one.itemsize}"))))
    return builder.bitcast(builder.sub(_bits(builder, real, x), power), x.type)


_HALF, _WORD = ir.IntType(16), ir.IntType(32)


def _float16_bits(builder: Any, real: type, x: Any) -> Any:
    return builder.bitcast(builder.fptrunc(x, ir.HalfType()), _HALF)


def _float16_of(builder: Any, real: type, bits: Any) -> Any:
    return builder.fpext(builder.bitcast(bits, ir.HalfType()), ir.FloatType())


def _bfloat16_bits(builder: Any, real: type, x: Any) -> Any:
    bits = builder.bitcast(x, _WORD)
    upper = builder.lshr(bits, _WORD(16))
    rounded = builder.lshr(builder.add(bits, builder.add(builder.and_(upper, _WORD(1)), _WORD(0x7FFF))), _WORD(16))
    nan = builder.or_(builder.and_(upper, _WORD(0x8000)), _WORD(0x7FC0))
    return builder.trunc(builder.select(builder.fcmp_unordered("uno", x, x), nan, rounded), _HALF)


def _bfloat16_of(builder: Any, real: type, bits: Any) -> Any:
    return builder.bitcast(builder.shl(builder.zext(bits, _WORD), _WORD(16)), ir.FloatType())


_EMIT: dict[str, tuple[int, Callable]] = {
    "rint": (1, _call("rint")),
    "floor": (1, _call("floor")),
    "sqrt": (1, _call("sqrt")),
    "absolute": (1, _call("fabs")),
    "copysign": (2, _call("copysign")),
    "maximum": (2, _call("maximum")),
    "minimum": (2, _call("minimum")),
    "larger": (2, _larger),
    "power_of_two": (1, _power_of_two),
    "power_of_digits": (1, _power_of_digits),
    "leading": (1, _leading),
    "exponent": (1, _exponent),
    "mantissa": (1, _mantissa),
}


@cache
def _philox(kind: Any) -> Any:
    """Return the Numba function that is `philox`: ten rounds on words of 32 bits, whose products have 64."""
    long = ir.IntType(64)

    def halves(builder: Any, word: Any, factor: int) -> tuple:
        product = builder.mul(builder.zext(word, long), long(factor))
        return builder.trunc(builder.lshr(product, long(32)), _WORD), builder.trunc(product, _WORD)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        counter, key = args
        a, b, c, d = builder.trunc(counter, _WORD), _WORD(0), _WORD(0), _WORD(0)
        k0, k1 = builder.trunc(key, _WORD), builder.trunc(builder.lshr(key, long(32)), _WORD)
        for _ in range(10):
            (p_high, p_low), (q_high, q_low) = halves(builder, a, 0xD2511F53), halves(builder, c, 0xCD9E8D57)
            a, c = builder.xor(builder.xor(q_high, b), k0), builder.xor(builder.xor(p_high, d), k1)
            b, d = q_low, p_low
            k0, k1 = builder.add(k0, _WORD(0x9E3779B9)), builder.add(k1, _WORD(0xBB67AE85))
        number = context.get_value_type(kind)
        reals = [builder.sitofp(builder.lshr(word, _WORD(8)), number) for word in (a, b, c, d)]
        return context.make_tuple(builder, signature.return_type, reals)

    @intrinsic
    def philox(typing: Any, counter: Any, key: Any) -> Any:
        return types.UniTuple(kind, 4)(types.int64, types.int64), generate

    return philox


_CONVERSIONS: dict[str, tuple] = {  # only of float32
    "float16_bits": (types.float32, types.uint16, _float16_bits),
    "float16_of": (types.uint16, types.float32, _float16_of),
    "bfloat16_bits": (types.float32, types.uint16, _bfloat16_bits),
    "bfloat16_of": (types.uint16, types.float32, _bfloat16_of),
}


@cache
def intrinsic_of(name: str, real: type) -> Any:
    """Return the Numba function that is a primitive in one precision."""
    kind = types.float32 if real is np.float32 else types.float64
    if name == "real":
        return _conversion(kind)
    if name == "philox":
        return _philox(kind)
    if name in _CONVERSIONS:
        return _between_formats(*_CONVERSIONS[name])
    count, emit = _EMIT[name]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, real, *args)

    if count == 1:

        @intrinsic
        def unary(typing: Any, x: Any) -> Any:
            return kind(kind), generate

        return unary

    @intrinsic
    def binary(typing: Any, x: Any, y: Any) -> Any:
        return kind(kind, kind), generate

    return binary


def _between_formats(taken: Any, given: Any, emit: Callable) -> Any:
    @intrinsic
    def convert(typing: Any, x: Any) -> Any:
        return given(taken), lambda context, builder, signature, args: emit(builder, np.float32, *args)

    return convert


def _conversion(kind: Any) -> Any:
    @intrinsic
    def real(typing: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return context.cast(builder, args[0], number, kind)

        return kind(number), generate

    return real


@cache
def array_of(ndim: int, number: Any) -> Any:
    """Return the Numba function of the address of a NumPy array's object that is the array, if that is C-contiguous.

    The object begins like every Python object; then come the address of the first element, the number of axes and the
    address of the shape (PyArrayObject_fields, part of NumPy's interface in C). Nothing counts references to it here.
    """
    kind, head = types.Array(number, ndim, "C"), object.__basicsize__

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def load(address: Any, offset: int, what: Any) -> Any:
            place = builder.add(address, ir.Constant(address.type, offset))
            return builder.load(builder.inttoptr(place, what.as_pointer()))

        word = args[0].type
        data = load(args[0], head, context.get_data_type(number).as_pointer())
        sizes = [load(load(args[0], head + 16, word), 8 * axis, word) for axis in range(ndim)]
        itemsize = context.get_abi_sizeof(context.get_data_type(number))
        strides = [context.get_constant(types.intp, itemsize)]
        for size in reversed(sizes[1:]):
            strides.insert(0, builder.mul(strides[0], size))
        array = context.make_array(kind)(context, builder)
        populate_array(array, data=data, shape=sizes, strides=strides, itemsize=strides[-1], meminfo=None)
        return array._getvalue()

    @intrinsic
    def view(typing: Any, address: Any) -> Any:
        return kind(types.intp), generate

    return view
