"""Compiled loops of convolution: the transforms of Winograd's algorithm, each in one pass over its input.

Arrays are channels-last. In `Tiles`, (4, 4, samples, tiles down, tiles across, channels), the planes of one tile lie at
distances that share a cache set: a loop fills four of them at a time, for a whole row of tiles.
"""

from typing import Annotated, Any

from ...backend.cpu.loops import Cube, Kind, Rows, loop

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
