"""Value and gradient of an energy over all channels, with every result checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from skinpaint.energies import tracing
from skinpaint.energies.base import value_at

__all__ = ["COARSE", "Objective", "is_coarse", "value_and_gradient"]

CURES = {  # by the kind of dtype that an energy returned
    "c": "Take the real part, or sum np.abs(v) ** 2",
    "i": "Make it a float: a function with integer values has no gradient",
    "b": "Make it a float: a function with integer values has no gradient",
    "O": "Return the sum, with autograd.numpy",
}

COARSE = "The energy is computed in fewer than 64 bits, whose rounding ends a descent early: compute it in float64."


def value_and_gradient(energy: Callable[[Any], Any], x: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient of a real function by autograd, from any thread.

    Raises
    ------
    ValueError
        If the value is no finite float, or has not been computed from `x` as far as autograd can see.

    Examples
    --------
    >>> value_and_gradient(lambda x: (x**2).sum(), np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    answer, differentiate = tracing.trace(energy, x)
    if differentiate is None:
        _checked(answer)
        raise ValueError(
            "The 'energy' parameter of GradientDescent must be computed from its argument by autograd.numpy. "
            f"Got {answer!r}, which does not depend on it as far as autograd can see: leave out plain numpy, rounding, "
            "comparisons and copies into new arrays."
        )
    value = _checked(answer)
    gradient = np.asarray(differentiate())
    if gradient.shape != x.shape or gradient.dtype.kind != "f":
        raise ValueError(
            f"The 'energy' parameter of GradientDescent must have a real gradient of its argument's shape, {x.shape}. "
            f"Got {gradient.dtype} of shape {gradient.shape} instead. Look at the vjp of your own primitives."
        )
    return value, gradient


class Objective:
    """Value and gradient, by autograd, of an energy summed over the channels.

    Parameters
    ----------
    energy : callable
        ``f(x) -> float`` of one channel, or of all channels, last, if `joint`.
    joint : bool
        Give the energy all channels at once.

    Attributes
    ----------
    note : str
        A sentence if a gradient had to be taken next to the point, or the energy is coarse; empty otherwise.

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

    def values(self, x: np.ndarray) -> np.ndarray:
        """Energy of each channel of `x`, channels last; a single one for a joint energy."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = partial(value_at, self.energy)
            found = [self._call(value, part) for part in self._parts(x)]
            levels = np.array([_checked(each) for each in found])
            if any(is_coarse(each) for each in found):
                self.note = COARSE
            return levels

    def value(self, x: np.ndarray) -> float:
        """Energy of `x`, channels last, summed over the channels."""
        return float(self.values(x).sum())

    def values_and_gradient(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `values`, and the gradient of their sum."""
        pairs = [self._differentiate(part) for part in self._parts(x)]
        values = np.array([pair[0] for pair in pairs])
        if self.joint:
            return values, pairs[0][1]
        return values, pairs[0][1][..., None] if len(pairs) == 1 else np.stack([pair[1] for pair in pairs], axis=-1)

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """As `value`, and its gradient."""
        values, gradient = self.values_and_gradient(x)
        return float(values.sum()), gradient

    def _parts(self, x: np.ndarray) -> list[np.ndarray]:
        return [x] if self.joint else [np.ascontiguousarray(x[..., c]) for c in range(x.shape[-1])]

    def _differentiate(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            value, gradient = self._call(partial(value_and_gradient, self.energy), x)
            if _finite(gradient):
                return value, gradient
            nudge = 1e-9 * np.random.default_rng(0).standard_normal(x.shape)
            gradient = self._call(partial(value_and_gradient, self.energy), x + nudge)[1]
            self.note = (
                "The energy had no gradient at some points (a norm at zero?); "
                "there it was computed 1e-9 beside the point."
            )
        if not _finite(gradient):
            raise ValueError(
                "The 'energy' parameter of GradientDescent must have a finite gradient. Got NaN or infinite "
                "entries, also 1e-9 beside the point. Smooth it, for example sqrt(v**2 + 1e-6) for abs(v)."
            )
        return value, gradient

    def _call(self, function: Callable[[Any], Any], x: np.ndarray) -> Any:
        try:
            return function(x)
        except Exception as error:
            error.add_note(f"This came from the energy given to GradientDescent, for an array of shape {x.shape}.")
            raise


def is_coarse(value: Any) -> bool:
    """Whether an energy is computed in fewer than 64 bits.

    Examples
    --------
    >>> is_coarse(np.float32(1)), is_coarse(1.0)
    (True, False)
    """
    return np.asarray(value).dtype.itemsize < 8


def _finite(gradient: np.ndarray) -> bool:
    """Whether all entries are finite. Usually the sum is finite, which is quick to see."""
    return bool(np.isfinite(gradient.sum()) or np.isfinite(gradient).all())


def _checked(value: Any) -> float:
    """The energy as a float; an error that says what it was instead, and what to do."""
    array = np.asarray(value)
    if array.ndim != 0 or array.dtype.kind != "f":
        got = f"shape {array.shape}" if array.ndim else f"a value of dtype {array.dtype}"
        cure = "Sum over the array, with autograd.numpy" if array.ndim else CURES.get(array.dtype.kind, CURES["O"])
        raise ValueError(
            f"The 'energy' parameter of GradientDescent must return one real float. Got {got} instead. {cure}."
        )
    if not np.isfinite(array):
        raise ValueError(
            f"The 'energy' parameter of GradientDescent must return a finite float. Got {float(array)} instead. "
            "Look for a division by zero, or a root or a logarithm of numbers that are zero or negative."
        )
    return float(array)
