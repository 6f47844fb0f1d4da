"""Energies whose value and gradient are fused loops, as primitives of autograd.

For autograd such an energy is one function with a known gradient. Everything composed around it is differentiated as
usual.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NoReturn

import numpy as np
from autograd.extend import Box, defjvp_argnums, defvjp, primitive

__all__ = ["Fused"]


class Fused(ABC):
    """A function of an image with a value (`forward`) and a gradient (`backward`).

    An image with one axis more than `spacing` has channels, on its last axis. The function is summed over the channels,
    unless it is `joint`: then it sees all channels at once.
    """

    joint: ClassVar[bool] = False
    spacing: tuple[float, ...] | None

    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""
        return evaluate(x, self, [] if isinstance(x, Box) else None)

    @abstractmethod
    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Value at contiguous floats and, if `keep`, what `backward` needs; otherwise anything."""

    @abstractmethod
    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Gradient, times `gain`, from what `forward` kept."""

    def spacing_for(self, ndim: int) -> tuple[float, ...]:
        """Distance between neighbours along each spatial axis of an array with `ndim` axes."""
        if self.spacing is None:
            return (1.0,) * (ndim - self.joint)
        if ndim - len(self.spacing) not in (0, 1) or (self.joint and ndim == len(self.spacing)):
            raise ValueError(
                f"The 'spacing' parameter of {type(self).__name__} must have one number for each spatial axis. "
                f"Got {self.spacing} for an array of {ndim} axes{', the last one for channels' if self.joint else ''}."
            )
        return self.spacing

    def sums_channels(self, ndim: int) -> bool:
        """Whether an array with `ndim` axes has channels on the last one, which are summed."""
        return not self.joint and ndim > len(self.spacing_for(ndim))


@primitive
def evaluate(x: Any, energy: Fused, kept: list[Any] | None) -> float:
    """Value of an energy; what its gradient needs is written to the list `kept`."""
    array, spacing = _prepared(x, energy)
    value, memory = energy.forward(array, spacing, keep=kept is not None)
    if kept is not None:
        kept[:] = [array, spacing, memory]
    return value


@primitive
def slope(x: Any, gain: Any, energy: Fused, kept: list[Any]) -> np.ndarray:
    """Gradient of an energy, times `gain`."""
    array, spacing, memory = kept
    gradient = energy.backward(array, spacing, memory, float(gain))
    return np.moveaxis(gradient, 0, -1) if energy.sums_channels(np.ndim(x)) else gradient


def _prepared(x: Any, energy: Fused) -> tuple[np.ndarray, tuple[float, ...]]:
    """Contiguous floats. Channels that are summed come first, with infinite spacing, so that they are not compared."""
    x, spacing = np.asarray(x, dtype=float), energy.spacing_for(np.ndim(x))
    if energy.sums_channels(x.ndim):
        x, spacing = np.moveaxis(x, -1, 0), (math.inf, *spacing)
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy(), spacing  # numba would compile the kernels again for read-only arrays


def _refuse_second(*args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError(
        "The energies of skinpaint have first derivatives only. For a Hessian write the energy in autograd.numpy."
    )


def _refuse_forward(*args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError(
        "The energies of skinpaint are differentiated in reverse mode only. Use autograd.grad or autograd.make_vjp."
    )


defvjp(evaluate, lambda ans, x, energy, kept: lambda g: slope(x, g, energy, kept), argnums=(0,))
defvjp(
    slope, _refuse_second, lambda ans, x, gain, energy, kept: lambda h: np.vdot(slope(x, 1.0, energy, kept), h),
    argnums=(0, 1),
)  # fmt: skip
defjvp_argnums(evaluate, _refuse_forward)
defjvp_argnums(slope, _refuse_forward)
