"""Energies whose value and gradient are fused loops, as primitives of autograd.

autograd sees one function, evaluated in one go, and is told its gradient, which is another loop. Whatever is composed
around it, autograd differentiates as it does anything else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NoReturn

import numpy as np
from autograd.extend import defjvp_argnums, defvjp, primitive
from autograd.tracer import isbox

__all__ = ["Fused"]


class Fused(ABC):
    """A function of an image that says how to compute its value, and from what it keeps of that, its gradient.

    If an image has an axis more than the spacing, that is of channels: one that no distance belongs to. They are
    summed, unless the function is for all of them jointly.
    """

    joint: ClassVar[bool] = False
    spacing: tuple[float, ...] | None

    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""
        return evaluate(x, self, [] if isbox(x) else None)

    @abstractmethod
    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Value at contiguous floats, and what `backward` needs of it; that is left out unless it is to be kept."""

    @abstractmethod
    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Gradient times `gain`."""

    def steps(self, ndim: int) -> tuple[float, ...]:
        """Distance between neighbours along each spatial axis of an array of so many axes."""
        if self.spacing is None:
            return (1.0,) * (ndim - self.joint)
        if ndim - len(self.spacing) not in (0, 1) or (self.joint and ndim == len(self.spacing)):
            raise ValueError(
                f"The 'spacing' parameter of {type(self).__name__} must have one number for each spatial axis. "
                f"Got {self.spacing} for an array of {ndim} axes{', the last of channels' if self.joint else ''}."
            )
        return self.spacing

    def sums_channels(self, ndim: int) -> bool:
        """Whether the last of so many axes is of channels that are summed."""
        return not self.joint and ndim > len(self.steps(ndim))


@primitive
def evaluate(x: Any, energy: Fused, kept: list[Any] | None) -> float:
    """Value of an energy; what its gradient needs of the way there is left in `kept`."""
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
    """Contiguous floats, with channels that are summed as a first axis along which nothing is compared."""
    x, spacing = np.asarray(x, dtype=float), energy.steps(np.ndim(x))
    if energy.sums_channels(x.ndim):
        x, spacing = np.moveaxis(x, -1, 0), (math.inf, *spacing)
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy(), spacing  # kernels would be compiled anew for what is read-only


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
