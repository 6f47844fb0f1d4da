"""The methods by name. To add one: a file in this folder and a line in the table."""

from __future__ import annotations

from importlib import import_module

from skinpaint.methods.base import Method

__all__ = ["METHODS", "resolve"]

METHODS = {
    "gd": "skinpaint.methods.gradient_descent:GradientDescent",
    "laplace": "skinpaint.methods.laplace:Laplace",
    "reweighted": "skinpaint.methods.reweighted:Reweighted",
    "biharmonic": "skinpaint.methods.biharmonic:Biharmonic",
    "pnp": "skinpaint.methods.plug_and_play:PlugAndPlay",
    "dct": "skinpaint.methods.sparse_dct:SparseDCT",
}


def resolve(method: str | Method) -> Method:
    """Turn a name into the method with its default settings; a method object is returned as it is.

    Raises
    ------
    ValueError
        If there is no method of that name.
    TypeError
        If `method` is neither a name nor a method object.

    Examples
    --------
    >>> resolve("laplace")
    Laplace(lags=(1,), solver='auto', tol=1e-06)
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
    if method not in METHODS:
        raise ValueError(
            f"The 'method' parameter of Inpainter must be one of {names} or a method object. Got {method!r} instead."
        )
    module, name = METHODS[method].split(":")
    return getattr(import_module(module), name)()
