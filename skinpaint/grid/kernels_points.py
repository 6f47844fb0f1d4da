"""Loops over lists of pixels and their neighbours.

Point `i` of a list has the neighbours ``neighbours[i, k]``, which are points too, or -1 for none. The unknown pixels
come first, so a neighbour that is known has a number that is at least as large as the number of unknown ones. The pair
of a point and its neighbour is an *edge*. Every edge belongs to a *group*.
"""

from __future__ import annotations

from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["link", "pull", "push", "squares", "weigh"]


@kernel
def link(places, low, strides, shape, lags, number, neighbours, halo):
    """Find the neighbours of the pixels at `places`; the number of the known ones, which are listed in `halo`.

    `number` is a box of zeros around the pixels, with its corner at `low`.
    """
    n, count = neighbours.shape[0], 0
    for i in range(n):
        at = 0
        for axis in range(low.size):
            at += (places[axis, i] - low[axis]) * strides[axis]
        number[uintp(at)] = i + 1
    for i in range(n):
        at, k = 0, 0
        for axis in range(low.size):
            at += (places[axis, i] - low[axis]) * strides[axis]
        for axis in range(low.size):
            place = places[axis, i]
            for m in range(lags.size):
                for lag in (lags[m], -lags[m]):
                    if 0 <= place + lag < shape[axis]:
                        j = uintp(at + lag * strides[axis])
                        if number[j] == 0:
                            halo[count] = j
                            count += 1
                            number[j] = n + count
                        neighbours[i, k] = number[j] - 1
                    else:
                        neighbours[i, k] = -1
                    k += 1
    return count


@kernel
def squares(neighbours, groups, scales, x, channels, sums):
    """Add the scaled square of each edge's difference to the sum of the edge's group, channel by channel."""
    n, directions = neighbours.shape
    for i in range(n):
        for k in range(directions):
            j = neighbours[i, k]
            if j >= n or (k & 1 == 0 and j >= 0):  # each edge once
                g = groups[i, k]
                for c in range(channels):
                    d = x[uintp(j * channels + c)] - x[uintp(i * channels + c)]
                    sums[uintp(g * channels + c)] += scales[k] * d * d


@kernel
def pull(lo, hi, neighbours, groups, scales, weights, x, channels, gain, out):
    """Add `gain` times the transposed differences of the weighted differences to `out`, at the unknown pixels."""
    for i in range(lo, hi):
        for c in range(channels):
            s, here = 0.0, x[uintp(i * channels + c)]
            for k in range(uintp(neighbours.shape[1])):
                j = neighbours[uintp(i), k]
                if j >= 0:
                    w = weights[uintp(groups[uintp(i), k] * channels + c)]
                    s += scales[k] * w * (here - x[uintp(j * channels + c)])
            out[uintp(i * channels + c)] += gain * s


@kernel
def push(neighbours, groups, scales, weights, x, channels, gain, out):
    """The same at the known ones."""
    n, directions = neighbours.shape
    for i in range(n):
        for k in range(directions):
            j = neighbours[i, k]
            if j >= n:
                for c in range(channels):
                    w = gain * scales[k] * weights[uintp(groups[i, k] * channels + c)]
                    out[uintp(j * channels + c)] += w * (x[uintp(j * channels + c)] - x[uintp(i * channels + c)])


@kernel
def weigh(neighbours, groups, scales, weights, edges):
    """Add the weight of each edge's group, times the scale of its direction, to `edges`."""
    for i in range(neighbours.shape[0]):
        for k in range(neighbours.shape[1]):
            if neighbours[i, k] >= 0:
                edges[i, k] += scales[k] * weights[uintp(groups[i, k])]
