"""Compiled loops of convolution: the transforms of Winograd's algorithm, each in one pass over its input.

Arrays are channels-last. In `Tiles`, (4, 4, samples, tiles down, tiles across, channels), the planes of one tile lie at
distances that share a cache set: a loop fills four of them at a time, for a whole row of tiles.
"""

from typing import Annotated, Any

from ...backend.cpu.loops import Cube, Int, Ints, Kind, Row, Rows, loop, scalar

Tiles = Annotated[Any, Kind(6)]


@loop
def transform_inputs(x: Cube, rows: Rows, out: Tiles):
    """Set out to B^T x B of the tiles of x (samples, height, width * channels).

    rows: scratch, (4, width * channels).
    """
    samples, down, across, channels = out.shape[2], out.shape[3], out.shape[4], out.shape[5]
    for s in range(samples):
        for y in range(down):
            a, b, c, d = x[s, 2 * y], x[s, 2 * y + 1], x[s, 2 * y + 2], x[s, 2 * y + 3]
            row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
            for k in range(rows.shape[1]):
                row0[k] = a[k] - c[k]
                row1[k] = b[k] + c[k]
                row2[k] = c[k] - b[k]
                row3[k] = b[k] - d[k]
            for i in range(rows.shape[0]):
                for t in range(across):
                    tile = rows[i, 2 * t * channels : (2 * t + 4) * channels]
                    out0, out1, out2, out3 = (
                        out[i, 0, s, y, t],
                        out[i, 1, s, y, t],
                        out[i, 2, s, y, t],
                        out[i, 3, s, y, t],
                    )
                    for k in range(channels):
                        out0[k] = tile[k] - tile[2 * channels + k]
                    for k in range(channels):
                        out1[k] = tile[channels + k] + tile[2 * channels + k]
                    for k in range(channels):
                        out2[k] = tile[2 * channels + k] - tile[channels + k]
                    for k in range(channels):
                        out3[k] = tile[channels + k] - tile[3 * channels + k]


@loop
def transform_gradient(g: Cube, rows: Rows, out: Tiles):
    """Set out to A g A^T of the tiles of g (samples, height, width * channels).

    rows: scratch, (4, width * channels).
    """
    samples, down, across, channels = out.shape[2], out.shape[3], out.shape[4], out.shape[5]
    for s in range(samples):
        for y in range(down):
            top, bottom = g[s, 2 * y], g[s, 2 * y + 1]
            row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
            for k in range(rows.shape[1]):
                row0[k] = top[k]
                row1[k] = top[k] + bottom[k]
                row2[k] = top[k] - bottom[k]
                row3[k] = bottom[k]
            for i in range(rows.shape[0]):
                for t in range(across):
                    tile = rows[i, 2 * t * channels : (2 * t + 2) * channels]
                    out0, out1, out2, out3 = (
                        out[i, 0, s, y, t],
                        out[i, 1, s, y, t],
                        out[i, 2, s, y, t],
                        out[i, 3, s, y, t],
                    )
                    for k in range(channels):
                        out0[k] = tile[k]
                    for k in range(channels):
                        out1[k] = tile[k] + tile[channels + k]
                    for k in range(channels):
                        out2[k] = tile[k] - tile[channels + k]
                    for k in range(channels):
                        out3[k] = tile[channels + k]


@loop
def transform_back(products: Tiles, rows: Rows, out: Annotated[Any, Kind(4)]):
    """Set out (samples, height, width, channels) to A^T products A. The last row and column may be missing.

    rows: scratch, (8, channels).
    """
    samples, down, across, channels = products.shape[2], products.shape[3], products.shape[4], products.shape[5]
    for s in range(samples):
        for y in range(down):
            for t in range(across):
                for j in range(products.shape[1]):
                    a, b, c, d = (
                        products[0, j, s, y, t],
                        products[1, j, s, y, t],
                        products[2, j, s, y, t],
                        products[3, j, s, y, t],
                    )
                    top, bottom = rows[j], rows[4 + j]
                    for k in range(channels):
                        top[k] = a[k] + b[k] + c[k]
                    for k in range(channels):
                        bottom[k] = b[k] - c[k] + d[k]
                for i in range(min(2, out.shape[1] - 2 * y)):
                    a, b, c, d = rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3]
                    left = out[s, 2 * y + i, 2 * t]
                    for k in range(channels):
                        left[k] = a[k] + b[k] + c[k]
                    if 2 * t + 1 < out.shape[2]:
                        right = out[s, 2 * y + i, 2 * t + 1]
                        for k in range(channels):
                            right[k] = b[k] - c[k] + d[k]


# Depthwise convolution: arrays (samples, *three spatial axes, channels), weights (kernel offsets, channels). A line is
# outputs along the last spatial axis. `geometry` holds the kernel, stride, dilation and low padding of each axis.
Images = Annotated[Any, Kind(5)]


@scalar
def _inside(offset, geometry, axis, size, count):
    """Return (first, stop): the outputs of `count` whose input at this kernel offset of an axis is not padding."""
    shift, stride = offset * geometry[6 + axis] - geometry[9 + axis], geometry[3 + axis]
    first = max(0, -(shift // stride))
    return first, max(first, min(count, (size - 1 - shift) // stride + 1))


@loop
def depthwise(x: Images, weight: Rows, bias: Row, geometry: Ints, start: Int, stop: Int, out: Images):
    """Convolve x, for the lines of `out` from `start` to `stop`."""
    samples, depth, height, width, channels = out.shape
    for line in range(start, stop):
        s, d, h = line // (depth * height), line // height % depth, line % height
        for t in range(width):
            pixel = out[s, d, h, t]
            for k in range(channels):
                pixel[k] = bias[k]
        for i in range(geometry[0]):
            from_d = d * geometry[3] + i * geometry[6] - geometry[9]
            for j in range(geometry[1]):
                from_h = h * geometry[4] + j * geometry[7] - geometry[10]
                if 0 <= from_d < x.shape[1] and 0 <= from_h < x.shape[2]:
                    for m in range(geometry[2]):
                        factor = weight[(i * geometry[1] + j) * geometry[2] + m]
                        first, end = _inside(m, geometry, 2, x.shape[3], width)
                        for t in range(first, end):
                            source = x[s, from_d, from_h, t * geometry[5] + m * geometry[8] - geometry[11]]
                            pixel = out[s, d, h, t]
                            for k in range(channels):
                                pixel[k] += source[k] * factor[k]


@loop
def depthwise_input_gradient(g: Images, weight: Rows, geometry: Ints, out: Images):
    """Set out to the gradient of the input."""
    samples, depth, height, width, channels = g.shape
    for s in range(samples):
        for d in range(out.shape[1]):
            for h in range(out.shape[2]):
                for t in range(out.shape[3]):
                    pixel = out[s, d, h, t]
                    for k in range(channels):
                        pixel[k] = 0.0
        for d in range(depth):
            for h in range(height):
                for i in range(geometry[0]):
                    to_d = d * geometry[3] + i * geometry[6] - geometry[9]
                    for j in range(geometry[1]):
                        to_h = h * geometry[4] + j * geometry[7] - geometry[10]
                        if 0 <= to_d < out.shape[1] and 0 <= to_h < out.shape[2]:
                            for m in range(geometry[2]):
                                factor = weight[(i * geometry[1] + j) * geometry[2] + m]
                                first, end = _inside(m, geometry, 2, out.shape[3], width)
                                for t in range(first, end):
                                    pixel = out[s, to_d, to_h, t * geometry[5] + m * geometry[8] - geometry[11]]
                                    source = g[s, d, h, t]
                                    for k in range(channels):
                                        pixel[k] += source[k] * factor[k]


@loop
def depthwise_weight_gradient(g: Images, x: Images, geometry: Ints, sums: Cube):
    """Set sums (samples, kernel offsets, channels) to the gradient of the weight that each sample gives."""
    samples, depth, height, width, channels = g.shape
    for s in range(samples):
        for i in range(sums.shape[1]):
            total = sums[s, i]
            for k in range(channels):
                total[k] = 0.0
        for d in range(depth):
            for h in range(height):
                for i in range(geometry[0]):
                    from_d = d * geometry[3] + i * geometry[6] - geometry[9]
                    for j in range(geometry[1]):
                        from_h = h * geometry[4] + j * geometry[7] - geometry[10]
                        if 0 <= from_d < x.shape[1] and 0 <= from_h < x.shape[2]:
                            for m in range(geometry[2]):
                                total = sums[s, (i * geometry[1] + j) * geometry[2] + m]
                                first, end = _inside(m, geometry, 2, x.shape[3], width)
                                for t in range(first, end):
                                    source = x[s, from_d, from_h, t * geometry[5] + m * geometry[8] - geometry[11]]
                                    gradient = g[s, d, h, t]
                                    for k in range(channels):
                                        total[k] += source[k] * gradient[k]
