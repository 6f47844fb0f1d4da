"""An energy as the descent sees it: value and gradient of all channels, with every answer checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd import make_vjp

__all__ = ["Objective"]


class Objective:
    """Value and gradient, by autograd, of an energy summed over the channels.

    Parameters
    ----------
    energy : callable
        ``f(x) -> float`` on one channel, or on all of them, last, if `joint`.
    joint : bool
        Give the energy all channels at once.

    Attributes
    ----------
    note : str
        A sentence if a gradient had to be taken beside the point; empty otherwise.

    Examples
    --------
    >>> objective = Objective(lambda x: (x**2).sum())
    >>> value, gradient = objective.value_and_gradient(np.array([[1.0, 2.0], [0.0, 3.0]]))
    >>> float(value)
    14.0
    >>> gradient
    array([[2., 4.],
           [0., 6.]])
    """

    def __init__(self, energy: Callable[[Any], Any], *, joint: bool = False) -> None:
        self.energy = energy
        self.joint = joint
        self.note = ""

    def value(self, x: np.ndarray) -> float:
        """Energy of `x`, channels last."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return sum(_checked(self._call(self.energy, part)) for part in self._parts(x))

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy of `x`, channels last, and its gradient."""
        pairs = [self._differentiate(part) for part in self._parts(x)]
        value = sum(pair[0] for pair in pairs)
        return value, pairs[0][1] if self.joint else np.stack([pair[1] for pair in pairs], axis=-1)

    def _parts(self, x: np.ndarray) -> list[np.ndarray]:
        return [x] if self.joint else [np.ascontiguousarray(x[..., c]) for c in range(x.shape[-1])]

    def _differentiate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            value, gradient = self._autograd(x)
            if not np.isfinite(gradient).all():
                nudge = 1e-9 * np.random.default_rng(0).standard_normal(x.shape)
                gradient = self._autograd(x + nudge)[1]
                self.note = (
                    "The energy has no gradient at some points that were reached (a norm at zero?): "
                    "it was taken 1e-9 beside them."
                )
        if not np.isfinite(gradient).all():
            raise ValueError(
                "The 'energy' parameter of GradientDescent must have a finite gradient. Got NaN or infinite "
                "entries, also 1e-9 beside the point. Smooth it, for example sqrt(v**2 + 1e-6) for abs(v)."
            )
        return value, gradient

    def _autograd(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        vjp, answer = self._call(make_vjp(self.energy), x)
        value = _checked(answer)
        return value, np.asarray(vjp(type(answer)(1.0) if np.ndim(answer) == 0 else 1.0))

    def _call(self, function: Callable[[Any], Any], x: np.ndarray) -> Any:
        try:
            return function(x)
        except Exception as error:
            error.add_note(f"This came from the energy given to GradientDescent, for an array of shape {x.shape}.")
            raise


def _checked(value: Any) -> float:
    """The energy as a float, or a sentence about what it was instead."""
    if np.ndim(value) != 0 or np.asarray(value).dtype.kind != "f":
        array = np.asarray(value)
        got = f"shape {array.shape}" if array.ndim else f"a value of dtype {array.dtype}"
        raise ValueError(
            f"The 'energy' parameter of GradientDescent must return one real float. Got {got} instead. "
            f"Sum over the array, with autograd.numpy."
        )
    if not np.isfinite(value):
        raise ValueError(
            f"The 'energy' parameter of GradientDescent must return a finite float. Got {float(value)} instead."
        )
    return float(value)
