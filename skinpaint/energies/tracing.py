"""Value and gradient of a function by autograd, from any thread.

autograd numbers its traces with a counter that all threads share, and that an error inside a traced function leaves
raised. Here a trace takes its number from below those of the counter and leaves the counter alone. So energies that
raise, or several threads that restore at once, have nothing to spoil and need no lock. An energy that calls `grad`
itself gets autograd's own numbers for that, which lie above.

This needs two functions from inside autograd. They are tried when this file is imported. Where a release of autograd
lacks them, its public interface takes their place, under a lock, and a warning says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from threading import RLock
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import grad, make_vjp
from autograd.extend import Box

__all__ = ["trace"]

TRACE = -0.5  # the number of our traces; autograd's counter begins at 0

Traced = tuple[Any, Callable[[], Any] | None]
"""What a function returned, and how to get its gradient; None if the answer does not depend on the argument."""

_lock = RLock()  # an energy may differentiate another one


def by_internals(function: Callable[[Any], Any], x: np.ndarray) -> Traced:
    """Trace `function` at `x` under a number of our own."""
    from autograd.core import VJPNode, backward_pass
    from autograd.tracer import new_box

    answer = function(new_box(x, TRACE, VJPNode.new_root()))
    if not isinstance(answer, Box):
        return answer, None
    value = answer._value
    return value, lambda: backward_pass(type(value)(1.0), answer._node)


def by_interface(function: Callable[[Any], Any], x: np.ndarray) -> Traced:
    """Trace `function` at `x` by autograd's public interface, one thread at a time."""
    outcome: list[Any] = []

    def watched(x: Any) -> Any:
        """End as a function of `x` in any case: autograd's counter stays raised after one that does not."""
        try:
            outcome[:] = [function(x), None]
        except Exception as error:
            outcome[:] = [None, error]
        return outcome[0] if isinstance(outcome[0], Box) else anp.sum(x)

    with _lock:
        vjp, value = make_vjp(watched)(x)
    answer, error = outcome
    if error is not None:
        raise error
    if not isinstance(answer, Box):
        return answer, None

    def gradient() -> Any:
        with _lock:
            return vjp(type(value)(1.0))

    return value, gradient


def usable(trace: Callable[[Callable[[Any], Any], np.ndarray], Traced]) -> bool:
    """Whether a way to trace gives the right answers for functions whose gradients are known, one with a nested trace.

    Examples
    --------
    >>> usable(by_interface), usable(lambda function, x: (function(x), None))
    (True, False)
    """
    x = np.array([1.0, 2.0])

    def nested(x: Any) -> Any:
        """Sum of 2 x^3, of which 2 x^2 is the gradient of a function of `y` that holds `x` too."""
        return (x * grad(lambda y: (x * y**2).sum())(x)).sum()

    try:
        value, gradient = trace(nested, x)
        constant = trace(lambda x: 3.0, x)
        return bool(value == 18 and gradient is not None and (gradient() == 6 * x**2).all() and constant == (3.0, None))
    except Exception:  # whatever a release with other internals may raise: it is not usable
        return False


def choose() -> Callable[[Callable[[Any], Any], np.ndarray], Traced]:
    """The quicker way to trace, if this release of autograd has what it needs."""
    if usable(by_internals):
        return by_internals
    warnings.warn(
        "This release of autograd has other internals than skinpaint knows. Energies are differentiated by its public "
        "interface instead, which is right, but lets one thread at a time differentiate.",
        RuntimeWarning,
        stacklevel=2,
    )
    return by_interface


trace = choose()
