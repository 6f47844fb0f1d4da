"""Methods side by side on one image: who predicts it best, how long it takes, and what it looks like.

Without a truth the methods are scored on known pixels that are hidden from all of them in the same way. That is a
problem a little harder than the real one, as fewer pixels are known, but it is equally harder for all.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.containers import unpack
from skinpaint.holdout import hold_out
from skinpaint.inpainter import Inpainter
from skinpaint.methods import METHODS, resolve
from skinpaint.methods.base import Method
from skinpaint.problem import Bounds, Problem
from skinpaint.scores import peak, psnr
from skinpaint.solution import ConvergenceWarning, GuessedMaskWarning

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Comparison", "Entry", "compare"]

Entrant = str | Method | Inpainter
"""The name of a method, a method with its settings, or an Inpainter with its bounds and spacing as well."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """How one method did.

    Attributes
    ----------
    name : str
        What it is called in the table.
    method : Method
        The method with its settings.
    psnr : float
        PSNR in dB, of the missing pixels against the truth, or else of the predicted known pixels; NaN if it failed.
    ssim : float or None
        Structural similarity to the truth, averaged over the missing pixels; None without a truth, with one that is
        not finite, or for an image with fewer than 7 pixels along an axis.
    seconds : float
        Time to restore the image, kernels compiled; NaN if it failed.
    status : str
        The method's own sentence, or the error if it failed.
    restored : ndarray or None
        The restored image; None if it failed.
    error : Exception or None
        Why it failed.
    squares : ndarray or None
        Squared error of each value that was scored, in the order of the image; None if it failed.
    """

    name: str
    method: Method
    psnr: float = float("nan")
    ssim: float | None = None
    seconds: float = float("nan")
    status: str = ""
    restored: np.ndarray | None = None
    error: Exception | None = None
    squares: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison:
    """What `compare` found: prints as a table, best method first.

    Attributes
    ----------
    entries : tuple of Entry
        One for each method, by falling PSNR; those that failed come last.
    image : ndarray of shape (M[, N[, ..., P]][, C])
        The damaged image.
    mask : ndarray of bool
        What is missing, of the spatial or of the image's shape.
    truth : ndarray or None
        The truth, if it was given.
    hidden : int
        How many known values were hidden and predicted, where there is no truth.
    channel_axis : int or None
        The axis of the channels.
    note : str
        What was taken for missing without being told; empty otherwise.
    lead : tuple of float, or None
        By how many dB the best predicts better than the second, and the standard error of that; None with a truth, or
        where there is no second.
    """

    entries: tuple[Entry, ...]
    image: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None
    hidden: int
    channel_axis: int | None
    note: str
    lead: tuple[float, float] | None

    @property
    def best(self) -> Entry:
        """The entry with the highest PSNR.

        Raises
        ------
        ValueError
            If every method failed.
        """
        if self.entries[0].error is not None:
            raise ValueError(f"Every method failed.\n{self!r}")
        return self.entries[0]

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of this name."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise KeyError(f"no method is called {name!r}; there are {', '.join(entry.name for entry in self.entries)}")

    def _repr_html_(self) -> str:
        """The table and the sheet, for notebooks."""
        from html import escape

        from skinpaint.show.notebook import as_image, as_table

        parts = [as_table(self._rows()), *(f"<p>{escape(remark)}</p>" for remark in self._remarks())]
        return "".join([*parts, as_image(self.sheet())] if self._can_be_shown() else parts)

    def _rows(self) -> list[tuple[str, ...]]:
        """The table, its head first."""
        head = ("", "method", "PSNR/dB", *(["SSIM"] if self.truth is not None else []), "seconds", "status")
        return [head, *(self._row(rank, entry) for rank, entry in enumerate(self.entries, 1))]

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
        lines = []
        for rank, name, *numbers, status in rows:
            cells = [rank.rjust(widths[0]), name.ljust(widths[1])]
            cells += [number.rjust(width) for number, width in zip(numbers, widths[2:], strict=True)]
            lines.append("  ".join([*cells, status]).strip("\n"))
        return "\n".join([*lines, "", *self._remarks()])

    def _row(self, rank: int, entry: Entry) -> tuple[str, ...]:
        """One line of the table; an error takes the place of the status, on one line."""
        failed = entry.error is not None
        numbers = ["-" if failed else f"{entry.psnr:.2f}"]
        if self.truth is not None:
            numbers.append("-" if entry.ssim is None else f"{entry.ssim:.3f}")
        numbers.append("-" if failed else f"{entry.seconds:.2f}")
        return "-" if failed else str(rank), entry.name, *numbers, " ".join(entry.status.split())

    def _remarks(self) -> list[str]:
        """What the figures are, below the table."""
        if self.truth is not None:
            scored = f"Scores are of the {int(self.mask.sum()):,} missing {self._unit(self.mask)}, against the truth."
        else:
            scored = (
                f"PSNR is of {self.hidden:,} known {self._unit(self.mask)} that were hidden as the missing ones are, "
                "and predicted."
            )
        return [scored, *self._doubt(), *([f"We {self.note}."] if self.note else [])]

    @property
    def close(self) -> bool:
        """Whether other hidden pixels might well have had another winner: a lead of less than two standard errors."""
        return self.lead is not None and self.lead[0] <= SIGNIFICANT * self.lead[1]

    def _doubt(self) -> list[str]:
        if self.lead is None or not self.close:
            return []
        first, second = (entry.name for entry in self.entries[:2])
        return [f"{first} leads {second} by {self.lead[0]:.2f} ± {self.lead[1]:.2f} dB: too close to call."]

    def _unit(self, mask: np.ndarray) -> str:
        return "values" if self.channel_axis is not None and mask.ndim == self.image.ndim else "pixels"

    def sheet(self) -> Image.Image:
        """Draw the damaged image, the restored ones and the truth side by side, with a detail enlarged.

        The detail is where the answers differ most.

        Returns
        -------
        sheet : PIL.Image.Image
            RGB.

        Raises
        ------
        ValueError
            If the image is not grey or RGB of two dimensions.
        """
        from skinpaint.show.contact_sheet import contact_sheet, widest_difference

        if not self._can_be_shown():
            raise ValueError(
                f"A sheet shows images of shape (M, N) or, with a channel axis, (M, N, 3). Got {self.image.shape} with "
                f"channel_axis={self.channel_axis} instead. The restored arrays are in 'entries'."
            )
        missing = self._last(np.broadcast_to(_like(self.mask, self.image, self.channel_axis), self.image.shape))
        answers = [self._last(entry.restored) for entry in self.entries if entry.restored is not None]
        tiles: list[tuple[Sequence[str], np.ndarray | None]] = [(("damaged", _share(missing)), self._last(self.image))]
        said = "predicts " if self.truth is None else ""
        for rank, entry in enumerate(self.entries, 1):
            if entry.restored is None:
                tiles.append(((entry.name, "failed"), None))
            else:
                figures = f"{said}{entry.psnr:.2f} dB, {entry.seconds:.2g} s"
                tiles.append(((f"{rank}. {entry.name}", figures), self._last(entry.restored)))
        if self.truth is not None:
            tiles.append((("truth", ""), self._last(self.truth)))
        return contact_sheet(tiles, detail=widest_difference(answers, missing), missing=missing)

    def _can_be_shown(self) -> bool:
        from skinpaint.show.notebook import is_picture

        return is_picture(self.image, self.channel_axis)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the sheet as a picture.

        Parameters
        ----------
        path : str or Path
            The file; PNG is best.
        overwrite : bool, optional
            Whether an existing file may be replaced.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is False.
        ValueError
            If the suffix is that of no picture, or the image cannot be shown.
        """
        from skinpaint import io

        io.check_target(path, overwrite=overwrite)
        io.write(path, np.asarray(self.sheet()), overwrite=overwrite)

    def _last(self, array: np.ndarray) -> np.ndarray:
        """The plain array, channels last."""
        plain = np.ma.getdata(array)
        return plain if self.channel_axis is None else np.moveaxis(plain, self.channel_axis, -1)


def compare(
    image: Any,
    mask: Any = None,
    methods: Entrant | Sequence[Entrant] | Mapping[str, Entrant] | None = None,
    *,
    truth: Any = None,
    channel_axis: int | None = None,
    missing_values: Any = "auto",
    bounds: Bounds = None,
    spacing: float | Sequence[float] | None = None,
    fraction: float = 0.1,
    rng: np.random.Generator | int | None = 0,
    progress: bool = False,
) -> Comparison:
    """Restore an image by several methods, score them, and rank them.

    Without a truth, some of the known pixels are hidden under shifted copies of the mask and overwritten with noise
    before any method sees them; every method predicts the same ones. See :func:`skinpaint.holdout.hold_out`.

    Parameters
    ----------
    image : array_like of shape (M[, N[, ..., P]][, C])
        The damaged image; integers or floats.
    mask : array_like, optional
        Where pixels are missing (True, 1 or 255).
    methods : str, Method, Inpainter, or a sequence or mapping of them, optional
        Names of methods, method objects or Inpainters; as a mapping, by the names that the table is to call them. All
        methods of the library by default. Of an Inpainter count the method, its bounds and its spacing.
    truth : array_like of the image's shape, optional
        What the image was before it was damaged.
    channel_axis, missing_values, bounds, spacing
        See :class:`Inpainter`.
    fraction : float in (0, 1)
        How much of the known pixels to hide, if there is no truth.
    rng : numpy.random.Generator or int, optional
        Chooses the pixels that are hidden; fixed by default.
    progress : bool
        Show a progress bar over the methods.

    Returns
    -------
    comparison : Comparison
        A table, with the restored images inside. A method that raises is a row of it, with the error.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask or a parameter cannot be used; the message says what would do.

    Examples
    --------
    >>> from skimage import data
    >>> from skinpaint import Laplace, compare
    >>> from skinpaint.damage import scratches
    >>> damaged, mask = scratches(data.brick()[:96, :96], count=8, rng=0)
    >>> comparison = compare(damaged, mask, ["laplace", Laplace(lags=(1, 2)), "biharmonic"])
    >>> comparison.best.name
    'biharmonic'
    >>> [entry.name for entry in comparison.entries]
    ['biharmonic', 'laplace', 'laplace(lags=(1, 2))']
    >>> comparison.best.restored.shape
    (96, 96)
    """
    named = _named_entrants(methods)
    problem = Problem.from_image(
        image, mask, channel_axis=channel_axis, missing_values=missing_values, bounds=bounds, spacing=spacing
    )
    image, missing, channel_axis = problem.array, problem.as_user(problem.mask), problem.channel_axis
    entrants = {name: _entrant(entrant, channel_axis, bounds, spacing) for name, entrant in named.items()}
    if truth is None:
        task = _prediction(image, missing, channel_axis, fraction, rng)
    else:
        task = _against(unpack(truth).array, image, missing, channel_axis)
    queue = list(entrants.items())
    if progress:
        from tqdm.auto import tqdm

        queue = tqdm(queue, leave=False)
    entries = [_tried(name, inpainter, image, missing, task) for name, inpainter in queue]
    ranked = sorted(entries, key=lambda entry: (entry.error is not None, -entry.psnr))
    return Comparison(
        entries=tuple(ranked),
        image=image,
        mask=missing,
        truth=None if truth is None else task.truth,
        hidden=0 if truth is not None else int(np.count_nonzero(task.mask & ~missing)),
        channel_axis=channel_axis,
        note=problem.note,
        lead=None if truth is not None else _lead(ranked, task),
    )


def _named_entrants(methods: Entrant | Sequence[Entrant] | Mapping[str, Entrant] | None) -> dict[str, Entrant]:
    """The entrants by the names that they go by."""
    if isinstance(methods, Mapping):
        named = list(methods.items())
    else:
        several = (
            METHODS if methods is None else [methods] if isinstance(methods, str | Method | Inpainter) else methods
        )
        named = [(_name(entrant), entrant) for entrant in several]
    if not named or len(named) > len(dict(named)):
        raise ValueError(
            "The 'methods' parameter of compare must hold at least one method, and none twice. "
            f"Got {methods!r} instead. A dict gives them names of your own."
        )
    return dict(named)


def _name(entrant: Entrant) -> str:
    """What to call an entrant: the name of the method, and the settings that are not the default ones."""
    if isinstance(entrant, str):
        return entrant
    if isinstance(entrant, Inpainter):
        extra = {key: getattr(entrant, key) for key in ("bounds", "spacing")}
        return ", ".join([_name(entrant.method), *(f"{k}={v!r}" for k, v in extra.items() if v is not None)])
    method = resolve(entrant)
    target = f"{type(method).__module__}:{type(method).__name__}"
    name = next((name for name, each in METHODS.items() if each == target), type(method).__name__)
    own: dict[str, str] = {}
    for setting in getattr(method, "__dataclass_fields__", {}).values():
        value = getattr(method, setting.name)
        if value is not setting.default and value != setting.default:
            own[setting.name] = _shown(value)
    return f"{name}({', '.join(f'{key}={value}' for key, value in own.items())})" if own else name


def _shown(value: object) -> str:
    return getattr(value, "__name__", None) or repr(value)


def _entrant(
    entrant: Entrant, channel_axis: int | None, bounds: Bounds, spacing: float | Sequence[float] | None
) -> Inpainter:
    """An Inpainter that is told what is missing by a mask alone."""
    if isinstance(entrant, Inpainter):
        return _entrant(entrant.method, channel_axis, entrant.bounds, entrant.spacing)
    return Inpainter(resolve(entrant), channel_axis=channel_axis, missing_values=None, bounds=bounds, spacing=spacing)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """What the methods are scored on: an image, what is missing in it, and what should come out there.

    With a truth that is the image itself; without one, the image with some known values replaced by noise.
    """

    image: np.ndarray
    mask: np.ndarray
    truth: np.ndarray  # masked where it is not known
    where: np.ndarray  # of the image's shape
    channel_axis: int | None

    def similarity(self, restored: np.ndarray) -> float | None:
        """Structural similarity over the pixels to compare, where it is defined."""
        from skimage.metrics import structural_similarity

        truth = np.asarray(self.truth, dtype=float)
        sides = truth.shape if self.channel_axis is None else np.delete(truth.shape, self.channel_axis)
        if min(sides) < SSIM_WINDOW or not np.isfinite(truth).all():
            return None
        _, similarity = structural_similarity(
            truth, restored.astype(float), data_range=peak(self.truth), channel_axis=self.channel_axis, full=True
        )
        return float(similarity[self.where].mean())


def _against(truth: np.ndarray, image: np.ndarray, mask: np.ndarray, channel_axis: int | None) -> _Task:
    """The task of restoring the image itself."""
    if truth.shape != image.shape or truth.dtype.kind not in "uif" or isinstance(truth, np.ma.MaskedArray):
        raise ValueError(
            f"The 'truth' parameter of compare must be an array of real numbers in the shape {image.shape} of the "
            f"image. Got {type(truth).__name__} of {truth.dtype} in the shape {truth.shape} instead."
        )
    if not mask.any():
        raise ValueError("The 'truth' parameter of compare must be None for an image of which nothing is missing.")
    where = np.broadcast_to(_like(mask, image, channel_axis), image.shape)
    return _Task(image=image, mask=mask, truth=truth, where=where, channel_axis=channel_axis)


def _prediction(
    image: np.ndarray,
    mask: np.ndarray,
    channel_axis: int | None,
    fraction: float,
    rng: np.random.Generator | int | None,
) -> _Task:
    """The task of predicting known values, which are overwritten before any method sees them."""
    noisy, larger, hidden = hold_out(image, mask, channel_axis=channel_axis, fraction=fraction, rng=rng)
    damage, where = (
        np.broadcast_to(_like(each, image, channel_axis), image.shape) for each in (larger & ~hidden, hidden)
    )
    truth = np.ma.array(np.ma.getdata(image), mask=damage)
    return _Task(image=noisy, mask=larger, truth=truth, where=where, channel_axis=channel_axis)


def _tried(name: str, inpainter: Inpainter, image: np.ndarray, mask: np.ndarray, task: _Task) -> Entry:
    """Let one method try, and score it; whatever it raises becomes its row.

    It predicts before it sees what it is to predict.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the status says so in the row
            warnings.simplefilter("ignore", GuessedMaskWarning)  # hidden pixels are noise
            if task.image is image:
                _warm_up(inpainter.method, image.ndim - (task.channel_axis is not None))
            else:
                predicted = inpainter.fit_restore(task.image.copy(), task.mask.copy())
            began = perf_counter()
            restored = inpainter.fit_restore(image, mask)
            seconds = perf_counter() - began
        if task.image is image:
            predicted, similarity = restored, task.similarity(restored)
        else:
            similarity = None
        score = psnr(task.truth, predicted, where=task.where)
        squares = np.square(predicted[task.where].astype(float) - np.ma.getdata(task.truth)[task.where])
    except Exception as error:
        said = " ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        return Entry(name=name, method=resolve(inpainter.method), status=said, error=error)
    return Entry(
        name=name,
        method=resolve(inpainter.method),
        psnr=score,
        ssim=similarity,
        seconds=seconds,
        status=inpainter.solution_.status,
        restored=restored,
        squares=squares,
    )


def _warm_up(method: str | Method, ndim: int) -> None:
    """Have the kernels compiled, which the first run of all does, so that the seconds are the method's."""
    shape = (ceil(2000 ** (1 / ndim)),) * ndim
    rng = np.random.default_rng(0)
    with suppress(Exception):  # which it will show when it matters
        Inpainter(method).fit(rng.random(shape), mask=rng.random(shape) < 0.9, callback=lambda record, restore: True)


def _lead(ranked: Sequence[Entry], task: _Task) -> tuple[float, float] | None:
    """By how many dB the first is ahead of the second, and the standard error by a jackknife over tiles.

    Errors of neighbours are alike, so that it is tiles and not pixels that stand for other places.
    """
    squares = [entry.squares for entry in ranked[:2] if entry.squares is not None]
    if len(squares) < 2 or not all(each.any() for each in squares):
        return None
    spatial = [axis for axis in range(task.where.ndim) if axis != _axis(task)]
    places = np.argwhere(task.where)[:, spatial]
    shape = [task.where.shape[axis] for axis in spatial]
    tiles = np.ravel_multi_index(tuple((places * TILES // shape).T), (TILES,) * len(shape))
    _, tiles = np.unique(tiles, return_inverse=True)
    first, second = (np.bincount(tiles, each) for each in squares)
    left = [each.sum() - each for each in (first, second)]  # with one tile left out
    count = len(first)
    if count < 2 or min(each.min() for each in left) <= 0:
        return None
    without = 10 * np.log10(left[1] / left[0])
    error = np.sqrt((count - 1) / count * np.square(without - without.mean()).sum())
    return float(10 * np.log10(second.sum() / first.sum())), float(error)


def _axis(task: _Task) -> int | None:
    return None if task.channel_axis is None else task.channel_axis % task.where.ndim


TILES = 8  # along an axis
SIGNIFICANT = 2.0  # standard errors
SSIM_WINDOW = 7


def _like(mask: np.ndarray, image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """The mask with as many axes as the image."""
    return mask if mask.ndim == image.ndim else np.expand_dims(mask, channel_axis)  # type: ignore[arg-type]


def _share(missing: np.ndarray) -> str:
    return f"{missing.mean():.1%} missing"
