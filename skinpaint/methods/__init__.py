"""The methods by name. To add one: a file in this folder, and its lines in this table."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from skinpaint.methods.base import Method
from skinpaint.wording import did_you_mean

if TYPE_CHECKING:
    from skinpaint.methods.biharmonic import Biharmonic as Biharmonic
    from skinpaint.methods.exemplar import Exemplar as Exemplar
    from skinpaint.methods.gradient_descent import GradientDescent as GradientDescent
    from skinpaint.methods.laplace import Laplace as Laplace
    from skinpaint.methods.plug_and_play import PlugAndPlay as PlugAndPlay
    from skinpaint.methods.reweighted import Reweighted as Reweighted
    from skinpaint.methods.sparse_dct import SparseDCT as SparseDCT

__all__ = [
    "METHODS",
    "Biharmonic",
    "Exemplar",
    "GradientDescent",
    "Laplace",
    "PlugAndPlay",
    "Reweighted",
    "SparseDCT",
    "load",
    "names_of",
    "presets",
    "resolve",
]

METHODS = {
    "dct": "skinpaint.methods.sparse_dct:SparseDCT",
    "exemplar": "skinpaint.methods.exemplar:Exemplar",
    "gd": "skinpaint.methods.gradient_descent:GradientDescent",
    "laplace": "skinpaint.methods.laplace:Laplace",
    "biharmonic": "skinpaint.methods.biharmonic:Biharmonic",
    "reweighted": "skinpaint.methods.reweighted:Reweighted",
    "pnp": "skinpaint.methods.plug_and_play:PlugAndPlay",
}
"""Where each method is: the name that users give, and its class."""


def load(name: str) -> type[Method]:
    """Import the class of a method.

    Examples
    --------
    >>> load("laplace")
    <class 'skinpaint.methods.laplace.Laplace'>
    """
    module, _, class_name = METHODS[name].partition(":")
    return getattr(import_module(module), class_name)


def presets(method: type[Method]) -> list[str]:
    """Names of a method's presets: the public classmethods that return one with other settings.

    Examples
    --------
    >>> presets(load("gd"))
    ['classic']
    """
    return [
        name
        for name, member in inspect.getmembers_static(method)
        if isinstance(member, classmethod) and not name.startswith("_")
    ]


def names_of(name: str) -> list[str]:
    """All names that a method goes by: its own, for the default settings, and one for each preset.

    Examples
    --------
    >>> names_of("gd")
    ['gd', 'gd:classic']
    """
    return [name, *(f"{name}:{preset}" for preset in presets(load(name)))]


def resolve(method: str | Method) -> Method:
    """Turn a name into a method; a method object is returned as it is.

    Parameters
    ----------
    method : str or Method
        A name such as "dct" for the default settings, or a name and a preset such as "dct:high".

    Raises
    ------
    ValueError
        If there is no method or preset of that name.
    TypeError
        If `method` is neither a name nor a method object.

    Examples
    --------
    >>> resolve("laplace")
    Laplace(lags=(1,), solver='auto', tol=1e-06, noise=None, robust=False)
    >>> resolve("gd:classic").max_iter
    500
    """
    if isinstance(method, Method):
        return method
    names = ", ".join(map(repr, METHODS))
    if not isinstance(method, str):
        hint = " Did you mean to call the class?" if isinstance(method, type) else ""
        raise TypeError(
            f"The 'method' parameter of Inpainter must be one of {names} or a method object such as "
            f"GradientDescent(max_iter=200). Got {method!r} instead.{hint}"
        )
    name, colon, preset = method.partition(":")
    if name not in METHODS:
        raise ValueError(
            f"The 'method' parameter of Inpainter must be one of {names} or a method object. Got {method!r} instead."
            f"{did_you_mean(name, METHODS)}"
        )
    kind = load(name)
    if not colon:
        return kind()
    if preset not in presets(kind):
        known = ", ".join(map(repr, names_of(name)[1:]))
        raise ValueError(
            f"The 'method' parameter of Inpainter can name a preset of {name!r}: {known or 'there is none'}. "
            f"Got {method!r} instead."
        )
    return getattr(kind, preset)()


def __getattr__(name: str) -> Any:
    """Import a method's class when it is first asked for."""
    for method, target in METHODS.items():
        if target.endswith(f":{name}"):
            return load(method)
    raise AttributeError(f"module 'skinpaint.methods' has no attribute {name!r}")
