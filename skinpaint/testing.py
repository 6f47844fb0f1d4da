"""Checks for methods and energies of your own: the laws that those in the library obey."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from skinpaint.energies.objective import COARSE, is_coarse, value_and_gradient
from skinpaint.inpainter import Inpainter, check_answer
from skinpaint.methods import resolve
from skinpaint.methods.base import IterativeMethod, Method
from skinpaint.problem import Problem
from skinpaint.solution import Record, Solution
from skinpaint.wording import is_int, require

__all__ = [
    "ENERGY_LAWS",
    "LAWS",
    "TRIALS",
    "UNCERTAINTY_LAWS",
    "Trial",
    "check_energy",
    "check_method",
    "check_uncertainty",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A small problem that laws are tried on.

    Attributes
    ----------
    image : ndarray of shape (M[, N[, ..., P]][, C])
        An image; channels, if it has any, are last.
    mask : ndarray of bool
        What is missing, of the spatial or of the image's shape.
    channel_axis : None or -1
        Whether the last axis is that of channels.
    """

    image: np.ndarray
    mask: np.ndarray
    channel_axis: int | None = None

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return self.image.ndim - (self.channel_axis is not None)

    @property
    def floats(self) -> np.ndarray:
        """The image as float64, in [0, 1]."""
        scale = 1 if self.image.dtype.kind == "f" else np.iinfo(self.image.dtype).max
        return self.image.astype(float) / scale

    @property
    def missing(self) -> np.ndarray:
        """The mask in the image's shape."""
        extra = self.image.ndim - self.mask.ndim
        return np.broadcast_to(self.mask.reshape(self.mask.shape + (1,) * extra), self.image.shape)

    def restore(self, method: Method, image: np.ndarray | None = None) -> np.ndarray:
        """Restore `image`, by default the trial's own."""
        return self._inpainter(method).fit_restore(self.image if image is None else image, self.mask)

    def problem(self, method: Method) -> Problem:
        """What the method is given."""
        return Problem.from_image(
            self.image, self.mask, channel_axis=self.channel_axis, default_bounds=method.default_bounds
        )

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> Trial:
        """The trial with its image (as floats) and its mask moved in the same way."""
        return Trial(image=move(self.floats), mask=move(self.mask), channel_axis=self.channel_axis)

    def _inpainter(self, method: Method) -> Inpainter:
        return Inpainter(method, channel_axis=self.channel_axis)


def check_method(method: str | Method, *, tol: float = 1e-6, skip: Collection[str] = ()) -> None:
    """Try every law on every trial. Methods differ in how they fill, never in what they modify.

    The laws, by name:

    - "well_formed": values of the right shape, finite, with a status in words and a history that adds up;
    - "known_pixels": known pixels come back bit for bit, in shape and dtype, and no array is written to;
    - "hidden_values": what the image holds under the mask makes no difference, to the last bit;
    - "memory": problems that were solved before make no difference either;
    - "affine": a change of unit changes nothing else;
    - "flips", "axes": mirrored or exchanged axes give a mirrored or exchanged answer;
    - "channels": each channel is restored as if it were alone;
    - "constant": a channel whose known pixels are all equal is filled with their value;
    - "undamaged": an image without damage comes back as a copy, without work;
    - "callback": it is called with one record an iteration, can show the picture, and stops the method;
    - "gap": no energy that the method reaches, also in more iterations, is below the minimum that a gap claims.

    Parameters
    ----------
    method : str or Method
        The method with its settings, or its name.
    tol : float, default=1e-6
        How far two answers may differ where a law says that they are equal, as a fraction of the range of the
        known pixels. For an iterative method, choose at least its own tolerance.
    skip : collection of str
        Laws that the method does not claim, such as "channels" for one that looks at all channels at once.

    Raises
    ------
    AssertionError
        If a law is broken; the message says which, where and by how much.
    ValueError
        If `skip` names something that is no law.

    Examples
    --------
    >>> from skinpaint import Laplace
    >>> from skinpaint.testing import check_method
    >>> check_method(Laplace(), tol=1e-12)
    """
    _refuse_unknown(skip, LAWS, "check_method")
    method = resolve(method)
    for law, check in LAWS.items():
        if law in skip:
            continue
        for name, trial in TRIALS.items():
            try:
                check(method, trial, tol)
            except AssertionError as error:
                raise AssertionError(
                    f"{type(method).__name__} breaks the law {law!r} on the trial {name!r}: {error}"
                ) from None


def _refuse_unknown(skip: Collection[str], laws: Collection[str], owner: str) -> None:
    """Refuse to skip what is no law."""
    unknown = sorted(set(skip) - set(laws))
    if unknown:
        raise ValueError(
            f"The 'skip' parameter of {owner} must hold names of laws: {', '.join(laws)}. Got {unknown} instead."
        )


def _well_formed(method: Method, trial: Trial, tol: float) -> None:
    problem = trial.problem(method)
    solution = method.solve(problem)
    try:
        check_answer(solution, problem, method)
    except (TypeError, ValueError) as error:
        raise AssertionError(str(error)) from None
    energy = solution.energy
    _demand(energy is None or np.isfinite(energy), f"the energy is {energy}.")
    wrong = int((~np.isfinite(solution.values)).sum())
    _demand(wrong == 0, f"{wrong} of the values are not finite.")
    status = solution.status
    _demand(status.strip().endswith("."), f"the status must be a full sentence; it is {status!r}.")
    _demand(isinstance(solution.converged, bool), f"converged must be a bool; it is {solution.converged!r}.")
    numbers = [record.n_iter for record in solution.history]
    _demand(
        numbers == sorted(set(numbers)) and numbers[-1:] == [solution.n_iter],
        f"the history must count up to n_iter = {solution.n_iter}; it counts {numbers}.",
    )


def _known_pixels(method: Method, trial: Trial, tol: float) -> None:
    image, mask, known = trial.image.copy(), trial.mask.copy(), ~trial.missing
    restored = trial.restore(method)
    _demand(
        trial.image.tobytes() == image.tobytes() and trial.mask.tobytes() == mask.tobytes(),
        "the image or the mask that was given has been written to.",
    )
    _demand(restored.dtype == image.dtype, f"an image of dtype {image.dtype} came back as {restored.dtype}.")
    _demand(restored.shape == image.shape, f"an image of shape {image.shape} came back as {restored.shape}.")
    changed = int((restored[known] != image[known]).sum())
    _demand(restored[known].tobytes() == image[known].tobytes(), f"{changed} known pixels were changed.")
    problem, untouched = trial.problem(method), trial.problem(method)
    values = method.solve(problem).values
    _demand(
        np.array_equal(problem.values, untouched.values) and np.array_equal(problem.mask, untouched.mask),
        "the problem that the method was given has been written to.",
    )
    moved = np.abs(values - problem.values)[~np.broadcast_to(problem.mask, problem.values.shape)].max()
    _demand(moved <= tol, f"the method moves known values by {moved:.2g} of the range.")


def _hidden_values(method: Method, trial: Trial, tol: float) -> None:
    expected = trial.restore(method)
    for hidden in (0, 1e30, np.inf, np.nan) if trial.image.dtype.kind == "f" else (0, np.iinfo(trial.image.dtype).max):
        image = trial.image.copy()
        image[trial.missing] = hidden
        restored = trial.restore(method, image)
        _demand(
            restored.tobytes() == expected.tobytes(),
            f"the answer changes by {_distance(restored, expected, trial):.2g} of the range when the values under "
            f"the mask are {hidden}.",
        )


def _memory(method: Method, trial: Trial, tol: float) -> None:
    other = Trial(image=trial.image[::-1].copy(), mask=trial.mask, channel_axis=trial.channel_axis)
    before = trial.restore(method)
    other.restore(method)
    after = trial.restore(method)
    _demand(
        after.tobytes() == before.tobytes(),
        f"asked again after another problem, it answers differently by {_distance(after, before, trial):.2g} of the "
        "range.",
    )


def _affine(method: Method, trial: Trial, tol: float) -> None:
    image, a, b = trial.floats, 2.7, -31.0
    moved = (trial.restore(method, a * image + b) - b) / a
    _equal(moved, trial.restore(method, image), trial, tol, f"{a} * image + {b}")


def _flips(method: Method, trial: Trial, tol: float) -> None:
    expected = trial.restore(method, trial.floats)
    for axis in range(trial.ndim):
        flipped = trial.moved(partial(np.flip, axis=axis))
        _equal(np.flip(flipped.restore(method), axis), expected, trial, tol, f"a flip of axis {axis}")


def _axes(method: Method, trial: Trial, tol: float) -> None:
    def exchange(array: np.ndarray) -> np.ndarray:
        return array.transpose(*range(trial.ndim)[::-1], *range(trial.ndim, array.ndim))

    exchanged = trial.moved(exchange).restore(method)
    expected = trial.restore(method, trial.floats)
    _equal(exchange(exchanged), expected, trial, tol, "an exchange of axes")


def _channels(method: Method, trial: Trial, tol: float) -> None:
    if trial.channel_axis is None:
        return
    together = trial.restore(method, trial.floats)
    for c in range(trial.image.shape[-1]):
        alone = Trial(image=trial.floats[..., c], mask=trial.missing[..., c])
        _equal(together[..., c], alone.restore(method), trial, tol, f"the absence of all channels but {c}")


def _constant(method: Method, trial: Trial, tol: float) -> None:
    image = trial.floats if trial.channel_axis is not None else np.stack([trial.floats] * 2, axis=-1)
    image[..., 0] = image.mean()
    mixed = Trial(image=image, mask=trial.mask, channel_axis=-1)
    problem = mixed.problem(method)
    moved = float(np.abs(method.solve(problem).values[..., 0] - problem.low[0]).max())
    _demand(moved <= tol, f"a channel whose known pixels are all equal is filled with values {moved:.2g} off.")


def _undamaged(method: Method, trial: Trial, tol: float) -> None:
    inpainter = trial._inpainter(method)
    restored = inpainter.fit_restore(trial.image, np.zeros_like(trial.mask))
    _demand(restored.tobytes() == trial.image.tobytes(), "an image without damage comes back changed.")
    _demand(not np.shares_memory(restored, trial.image), "an image without damage comes back as itself, not a copy.")
    _demand(inpainter.n_iter_ == 0, f"an image without damage costs {inpainter.n_iter_} iterations.")


def _callback(method: Method, trial: Trial, tol: float) -> None:
    seen: list[tuple[Record, np.ndarray]] = []

    def watch(record: Record, restore: Callable[[], np.ndarray]) -> bool:
        seen.append((record, restore()))
        return len(seen) == 2

    inpainter = trial._inpainter(method).fit(trial.image, mask=trial.mask, callback=watch)
    _demand(len(seen) > 0, "the callback is never called.")
    _demand(len(seen) <= 2, f"the callback returned True at its second call, and was called {len(seen)} times.")
    counted = seen[-1][0].n_iter
    _demand(inpainter.n_iter_ == counted, f"{inpainter.n_iter_} iterations, but the callback was told of {counted}.")
    _demand(
        inpainter.history_ == tuple(record for record, _ in seen),
        "the history differs from the records that the callback was given.",
    )
    known = ~trial.missing
    for record, picture in seen:
        energy = record.energy
        _demand(energy is None or np.isfinite(energy), f"the energy in a record is {energy}.")
        _demand(
            picture.dtype == trial.image.dtype and picture[known].tobytes() == trial.image[known].tobytes(),
            "the picture that the callback can ask for has other known pixels than the image.",
        )


GAP_STEPS = 30  # of an iterative method, in which energies fall below those of its own tolerance
GAP_ROUNDING = 1e-12  # relative, of an energy


def _gap(method: Method, trial: Trial, tol: float) -> None:
    problem = trial.problem(method)
    solution = method.solve(problem)
    found: list[Record | Solution] = [solution, *solution.history]
    if all(each.gap is None for each in found):
        return
    if isinstance(method, IterativeMethod):
        longer = replace(method, tol=None, max_iter=GAP_STEPS)  # type: ignore[type-var]
        found += longer.solve(problem).history
    lowest = min((each.energy for each in found if each.energy is not None), default=np.inf)
    for each in found:
        if each.gap is not None:
            _demand(each.energy is not None, f"it claims a gap of {each.gap:.3g}, and says no energy.")
            least = each.energy / (1 + each.gap)  # type: ignore[operator]
            _demand(
                least <= lowest + GAP_ROUNDING * abs(lowest),
                f"after {each.n_iter} iterations it claims a gap of {each.gap:.3g}, by which no energy is below "
                f"{least:.12g}; but it reaches {lowest:.12g}.",
            )


LAWS: dict[str, Callable[[Method, Trial, float], None]] = {
    "well_formed": _well_formed,
    "known_pixels": _known_pixels,
    "hidden_values": _hidden_values,
    "memory": _memory,
    "affine": _affine,
    "flips": _flips,
    "axes": _axes,
    "channels": _channels,
    "constant": _constant,
    "undamaged": _undamaged,
    "callback": _callback,
    "gap": _gap,
}
"""``law(method, trial, tol)`` raises an AssertionError with a sentence if the law is broken."""


def check_uncertainty(method: str | Method, *, tol: float = 1e-3, skip: Collection[str] = ()) -> None:
    """Test whether the standard deviations and intervals of a method of your own can be trusted.

    The laws, by name:

    - "zero_where_known": standard deviations are finite, zero where a pixel is known, and positive where it is filled;
    - "seeds": the same seed gives the same bytes;
    - "unit": a change of unit changes nothing else;
    - "levels": an interval holds those of lower levels;
    - "samples": samples agree with the known pixels, and deviate as the standard deviations say;
    - "coverage": on made-up images, 90 % intervals hold 80 to 97 % of the true values, on a rough and on a smooth side.

    Parameters
    ----------
    method : str or Method
        The method with its settings, or its name.
    tol : float, default=1e-3
        How far two standard deviations may differ where a law says that they are equal, as a fraction.
    skip : collection of str
        Laws that the method does not claim, such as "unit" for one that is made for 8 bits.

    Raises
    ------
    AssertionError
        If a law is broken; the message says which, where and by how much.
    ValueError
        If `skip` names something that is no law.

    Examples
    --------
    >>> from skinpaint import Laplace
    >>> from skinpaint.testing import check_uncertainty
    >>> check_uncertainty(Laplace())
    """
    _refuse_unknown(skip, UNCERTAINTY_LAWS, "check_uncertainty")
    method = resolve(method)
    for law, check in UNCERTAINTY_LAWS.items():
        if law not in skip:
            try:
                check(method, tol)
            except AssertionError as error:
                raise AssertionError(f"{type(method).__name__} breaks the law {law!r}: {error}") from None


def _two_sided(seed: int) -> Trial:
    """An image that is rough on the left and smooth on the right, with half of it missing."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    image = 20 * gaussian_filter(rng.standard_normal((64, 64)), 1.5)
    image[:, 32:] = gaussian_filter(image, 4)[:, 32:]
    return Trial(image=100 + 15 * image, mask=rng.random(image.shape) < 0.5)


def _zero_where_known(method: Method, tol: float) -> None:
    for name in ("signal", "hole", "bytes", "volume", "mosaic"):
        trial = TRIALS[name]
        std = trial._inpainter(method).fit(trial.image, mask=trial.mask).std()
        _demand(std.shape == trial.image.shape, f"on {name!r} they have shape {std.shape}, not {trial.image.shape}.")
        _demand(np.isfinite(std).all(), f"on {name!r} {int((~np.isfinite(std)).sum())} of them are not finite.")
        known = int((std[~trial.missing] != 0).sum())
        _demand(known == 0, f"on {name!r} {known} known pixels have a standard deviation other than 0.")
        sure = int((std[trial.missing] <= 0).sum())
        _demand(sure == 0, f"on {name!r} {sure} filled pixels have a standard deviation of 0 or less.")


def _seeds(method: Method, tol: float) -> None:
    trial = _two_sided(0)
    one, again = (trial._inpainter(method).fit(trial.image, mask=trial.mask).std(7) for _ in range(2))
    _demand(one.tobytes() == again.tobytes(), "asked again with the same seed, it answers differently.")


def _unit(method: Method, tol: float) -> None:
    trial = _two_sided(0)
    moved = Trial(image=2.5 * trial.image - 70, mask=trial.mask)
    one, other = (t._inpainter(method).fit(t.image, mask=t.mask).std()[t.mask] for t in (trial, moved))
    away = float(np.abs(other / (2.5 * one) - 1).max())
    _demand(away <= tol, f"2.5 * image - 70 changes the standard deviations by {away:.2g}, more than {tol:g}.")


def _levels(method: Method, tol: float) -> None:
    trial = _two_sided(0)
    inpainter = trial._inpainter(method).fit(trial.image, mask=trial.mask)
    before: tuple[Any, Any] = (inpainter.restored_, inpainter.restored_)
    for level in (0.1, 0.5, 0.9, 0.99):
        low, high = inpainter.interval(level)
        wrong = int(((low > before[0]) | (high < before[1])).sum())
        _demand(wrong == 0, f"at level {level} {wrong} intervals do not hold those of the level below.")
        before = low, high


def _samples(method: Method, tol: float) -> None:
    trial = _two_sided(0)
    inpainter = trial._inpainter(method).fit(trial.image, mask=trial.mask)
    samples, std = inpainter.sample(64), inpainter.std()
    known = int((samples[:, ~trial.mask] != trial.image[~trial.mask]).sum())
    _demand(known == 0, f"{known} known values of the samples are not those of the image.")
    ratio = float(np.sqrt(np.mean((samples - samples.mean(axis=0))[:, trial.mask] ** 2 / std[trial.mask] ** 2)))
    _demand(0.9 < ratio < 1.1, f"the samples deviate by {ratio:.2f} of the standard deviations.")


def _coverage(method: Method, tol: float) -> None:
    covered = []
    for seed in range(3):
        trial = _two_sided(seed)
        hidden = trial.image.copy()
        hidden[trial.mask] = np.nan
        low, high = trial._inpainter(method).fit(hidden).interval(0.9)
        inside = (low <= trial.image) & (trial.image <= high)
        covered.append([inside[:, half][trial.mask[:, half]].mean() for half in (slice(32), slice(32, None))])
    for side, share in zip(("rough", "smooth"), np.mean(covered, axis=0), strict=True):
        _demand(0.8 <= share <= 0.97, f"90 % intervals hold {100 * share:.0f} % of the true values on the {side} side.")


UNCERTAINTY_LAWS: dict[str, Callable[[Method, float], None]] = {
    "zero_where_known": _zero_where_known,
    "seeds": _seeds,
    "unit": _unit,
    "levels": _levels,
    "samples": _samples,
    "coverage": _coverage,
}
"""``law(method, tol)`` raises an AssertionError with a sentence if the law is broken."""


def check_energy(
    energy: Callable[[Any], Any],
    *,
    shape: tuple[int, ...] = (8, 7),
    convex: bool | None = None,
    tol: float = 1e-6,
    skip: Collection[str] = (),
) -> None:
    """Test whether gradient descent can minimise an energy of your own.

    The laws, by name:

    - "value": it is one real, finite float of 64 bits, for random and for flat images, and for black-and-white ones;
    - "memory": it is the same when asked again, with or without autograd, and the image is not written to;
    - "gradient": the gradient is real, of the image's shape, and agrees with finite differences in every pixel;
    - "flat": the gradient is finite where an image is flat, in one line or altogether;
    - "convex": on a segment between two images the energy lies below the chord and above the tangent.

    Parameters
    ----------
    energy : callable
        ``f(x) -> float``, written in `autograd.numpy`.
    shape : tuple of int
        Of the images to try, with channels on the last axis if the energy is for all of them at once.
    convex : bool, optional
        Whether the energy claims to be convex; by default what its attribute `convex` says, if it has one. Convexity
        is tested on samples, so a test that passes is no proof.
    tol : float, default=1e-6
        How far the gradient may be from finite differences, as a fraction of its largest entry.
    skip : collection of str
        Laws that the energy does not claim, such as "flat" for one with a norm: the descent then takes the gradient
        at a point 1e-9 away.

    Raises
    ------
    AssertionError
        If a law is broken; the message says which, where and by how much.
    ValueError
        If `skip` names something that is no law, or `shape` cannot be used.

    Examples
    --------
    >>> import autograd.numpy as np
    >>> from skinpaint.testing import check_energy
    >>> check_energy(lambda x: np.sum(np.sqrt((x[1:] - x[:-1]) ** 2 + 1e-4)), convex=True)
    """
    _refuse_unknown(skip, ENERGY_LAWS, "check_energy")
    valid = isinstance(shape, tuple | list) and len(shape) > 0 and all(is_int(n) and n > 0 for n in shape)
    require(valid, "check_energy", "shape", "a tuple of ints of at least 1", shape)
    claimed = getattr(energy, "convex", None) is True if convex is None else convex
    for law, check in ENERGY_LAWS.items():
        if law in skip or (law == "convex" and not claimed):
            continue
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                check(energy, shape, tol)
        except AssertionError as error:
            name = getattr(energy, "__name__", type(energy).__name__)
            raise AssertionError(f"{name} breaks the law {law!r} on images of shape {shape}: {error}") from None


SMALL = 1e-3  # of the energy of a random image: what is less is rounding


def _value_law(energy: Callable[[Any], Any], shape: tuple[int, ...], tol: float) -> None:
    pattern = np.indices(shape).sum(axis=0) % 2.0
    random = np.random.default_rng(0).random(shape)
    for name, x in {"a random": random, **_flat_images(shape), "a black-and-white": pattern}.items():
        _accepted(energy, x, name)
    _demand(not is_coarse(energy(random)), f"at a random image: {COARSE}")


def _memory_law(energy: Callable[[Any], Any], shape: tuple[int, ...], tol: float) -> None:
    x = np.random.default_rng(1).random(shape)
    before = x.copy()
    first, again = float(energy(x)), float(energy(x))
    traced = value_and_gradient(energy, x)[0]
    _demand(np.array_equal(x, before), "the image that was given has been written to.")
    _demand(first == again, f"asked again, it answers {again!r} instead of {first!r}.")
    close = abs(traced - first) <= 1e-12 * max(1, abs(first))
    _demand(close, f"under autograd it answers {traced!r} instead of {first!r}.")


def _gradient_law(energy: Callable[[Any], Any], shape: tuple[int, ...], tol: float) -> None:
    h = 1e-5
    for seed in range(2):
        x = np.random.default_rng(2 + seed).uniform(0.1, 0.9, shape)
        value, gradient = value_and_gradient(energy, x)
        _demand(np.isfinite(gradient).all(), "the gradient at a random image is not finite.")
        differences = np.empty(shape)
        for i in np.ndindex(shape):
            step = np.zeros(shape)
            step[i] = h
            near, far = energy(x + step) - energy(x - step), energy(x + 2 * step) - energy(x - 2 * step)
            differences[i] = (8 * near - far) / (12 * h)
        away = np.abs(gradient - differences)
        at = np.unravel_index(away.argmax(), shape)
        _demand(
            away[at] <= tol * max(np.abs(differences).max(), SMALL * min(abs(value), 1)),
            f"the gradient at pixel {tuple(map(int, at))} is {gradient[at]:.6g}, but finite differences give "
            f"{differences[at]:.6g}.",
        )


def _flat_law(energy: Callable[[Any], Any], shape: tuple[int, ...], tol: float) -> None:
    for name, x in _flat_images(shape).items():
        gradient = value_and_gradient(energy, x)[1]
        wrong = int((~np.isfinite(gradient)).sum())
        _demand(
            wrong == 0,
            f"{wrong} of {gradient.size} entries of the gradient are NaN or infinite at {name} image. Round norms and "
            "roots off at zero: sqrt(v**2 + 1e-4) for abs(v), with the sum of squares in place of v**2 for a norm.",
        )


def _convex_law(energy: Callable[[Any], Any], shape: tuple[int, ...], tol: float) -> None:
    rng = np.random.default_rng(4)
    unit = min(abs(float(energy(np.random.default_rng(0).random(shape)))), 1)
    for trial in range(200):
        contrast = (0.0, 0.9)[trial // 5 % 2]  # edges are where many an energy is not convex
        a = contrast * rng.integers(0, 2, shape) + (1 - contrast) * rng.random(shape)
        one = np.zeros(shape)
        one[tuple(rng.integers(shape))] = 0.2 * rng.standard_normal()
        kinds = (rng.random(shape), a + 0.05 * rng.standard_normal(shape), a + one, np.full(shape, a.mean()), a + 0.1)
        b = kinds[trial % 5]
        t = rng.uniform(0.2, 0.8)
        at_a, slope = value_and_gradient(energy, a)
        at_b, between = float(energy(b)), float(energy((1 - t) * a + t * b))
        noise = 1e-12 * (abs(at_a) + abs(at_b) + abs(between) + SMALL * unit)
        chord = (1 - t) * at_a + t * at_b
        _demand(
            between <= chord + noise,
            f"it is not convex: between two images it is {between - chord:.3g} above the chord.",
        )
        tangent = at_a + float(np.vdot(slope, b - a))
        _demand(
            at_b >= tangent - max(noise, 1e-12 * abs(tangent)),
            f"it is not convex, or its gradient is wrong: it falls {tangent - at_b:.3g} below a tangent.",
        )


ENERGY_LAWS: dict[str, Callable[[Callable[[Any], Any], tuple[int, ...], float], None]] = {
    "value": _value_law,
    "memory": _memory_law,
    "gradient": _gradient_law,
    "flat": _flat_law,
    "convex": _convex_law,
}
"""``law(energy, shape, tol)`` raises an AssertionError with a sentence if the law is broken."""


def _flat_images(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Images that are flat, in one line along the last axis or altogether."""
    line = np.random.default_rng(5).random(shape)
    line[(shape[0] // 2,) * (len(shape) > 1)] = 0.5
    return {"a flat": np.full(shape, 0.3), "a black": np.zeros(shape), "a partly flat": line}


def _accepted(energy: Callable[[Any], Any], x: np.ndarray, name: str) -> None:
    """Turn a refusal of what the energy gives into a broken law."""
    try:
        value_and_gradient(energy, x)
    except ValueError as error:
        raise AssertionError(f"at {name} image: {error}") from error


def _demand(valid: object, sentence: str) -> None:
    if not valid:
        raise AssertionError(sentence)


def _distance(one: np.ndarray, other: np.ndarray, trial: Trial) -> float:
    """Largest difference as a fraction of the range of the known pixels."""
    known = (trial.floats if one.dtype.kind == "f" else trial.image.astype(float))[~trial.missing]
    return float(np.abs(one.astype(float) - other.astype(float)).max() / np.ptp(known))


def _equal(one: np.ndarray, other: np.ndarray, trial: Trial, tol: float, change: str) -> None:
    distance = _distance(one, other, trial)
    _demand(distance <= tol, f"{change} changes the answer by {distance:.2g} of the range, more than {tol:g}.")


def _trials() -> Iterator[tuple[str, Trial]]:
    """One trial for each thing that can go wrong: axes, channels, dtypes, density, borders."""
    rng = np.random.default_rng(0)

    def picture(*shape: int) -> np.ndarray:
        """Slopes with noise on them, well inside [0, 1]."""
        x = np.sum([np.cumsum(rng.standard_normal(shape), axis) for axis in range(len(shape))], axis=0)
        return 0.1 + 0.6 * (x - x.min()) / np.ptp(x)

    def scattered(fraction: float, *shape: int) -> np.ndarray:
        mask = rng.random(shape) < fraction
        mask[(0,) * len(shape)], mask[(-1,) * len(shape)] = False, True
        return mask

    hole = np.zeros((11, 9), dtype=bool)
    hole[2:7, 4:] = True
    yield "signal", Trial(image=picture(23), mask=scattered(0.6, 23))
    yield "scattered", Trial(image=picture(12, 10), mask=scattered(0.9, 12, 10))
    yield "hole", Trial(image=picture(11, 9).astype(np.float32), mask=hole)
    yield "line", Trial(image=picture(1, 9), mask=scattered(0.5, 1, 9))
    yield "bytes", Trial(image=(255 * picture(8, 9)).astype(np.uint8), mask=scattered(0.5, 8, 9))
    yield "volume", Trial(image=picture(4, 5, 6), mask=scattered(0.6, 4, 5, 6))
    yield "colour", Trial(image=picture(7, 8, 3), mask=scattered(0.5, 7, 8), channel_axis=-1)
    yield "mosaic", Trial(image=picture(7, 8, 3), mask=scattered(0.6, 7, 8, 3), channel_axis=-1)


TRIALS: dict[str, Trial] = dict(_trials())
"""The trials by name."""
