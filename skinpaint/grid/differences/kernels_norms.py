"""Loops over pixels: the norm of the differences ahead of each pixel, and the gradient of the norms.

Arrays are flat, in *rows* of `width` entries along the last spatial axis, with `channels` entries for each pixel.
Leading axis `k` has `counts[k]` places, `steps[k]` rows apart. The last of `weights` belongs to the last axis.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["pixel_norms", "spread_norms"]


@kernel
def pixel_norms(lo, hi, x, width, channels, counts, steps, weights, lags, eps, inverse, sums):
    """Sums over rows of ``n - eps`` with ``n = sqrt(|v|^2 + eps^2)``, `v` the differences ahead of a pixel.

    ``1 / n`` goes to ``inverse[lag]``, unless that is empty.
    """
    q = np.empty(width)
    for r in range(lo, hi):
        base, total = r * width, 0.0
        for m in range(len(lags)):
            lag = lags[m]
            for j in range(uintp(width)):
                q[j] = 0.0
            for k in range(len(counts)):
                if (r // steps[k]) % counts[k] + lag < counts[k]:
                    ahead, w = base + lag * steps[k] * width, weights[k]
                    for j in range(width):
                        q[uintp(j)] += w * (x[uintp(ahead + j)] - x[uintp(base + j)]) ** 2
            along, w = lag * channels, weights[-1]
            for j in range(width - along):
                q[uintp(j)] += w * (x[uintp(base + along + j)] - x[uintp(base + j)]) ** 2
            if channels > 1:
                for p in range(0, width, channels):
                    s = 0.0
                    for c in range(channels):
                        s += q[p + c]
                    for c in range(channels):
                        q[p + c] = s
            for j in range(uintp(width)):
                # Where n is 0 all differences are 0, so any finite number serves as 1 / n.
                n = np.sqrt(max(q[j] + eps * eps, 1e-290))
                once = 1 / (n * (n + eps))
                total += q[j] * n * once
                q[j] = (n + eps) * once
            if inverse.size > 0:
                for j in range(width):
                    inverse[m, uintp(base + j)] = q[uintp(j)]
        sums[r] = total / channels


@kernel
def spread_norms(lo, hi, x, width, channels, counts, steps, weights, lags, inverse, gain, out):
    """`gain` times the transposed differences of the differences over their norms."""
    t = np.empty(width)
    for r in range(lo, hi):
        base = r * width
        for j in range(uintp(width)):
            t[j] = 0.0
        for m in range(len(lags)):
            lag, inv = lags[m], inverse[m]
            for k in range(len(counts)):
                place, stride, w = (r // steps[k]) % counts[k], lag * steps[k] * width, weights[k]
                if place + lag < counts[k]:
                    ahead = base + stride
                    for j in range(width):
                        i = uintp(base + j)
                        t[uintp(j)] += w * inv[i] * (x[i] - x[uintp(ahead + j)])
                if place >= lag:
                    behind = base - stride
                    for j in range(width):
                        i = uintp(behind + j)
                        t[uintp(j)] += w * inv[i] * (x[uintp(base + j)] - x[i])
            along, w = lag * channels, weights[-1]
            for j in range(width - along):
                i = uintp(base + j)
                t[uintp(j)] += w * inv[i] * (x[i] - x[uintp(base + along + j)])
            for j in range(along, width):
                i = uintp(base + j - along)
                t[uintp(j)] += w * inv[i] * (x[uintp(base + j)] - x[i])
        for j in range(width):
            out[uintp(base + j)] = gain * t[uintp(j)]
