"""How each method did, as a table and as a sheet of pictures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.masks import everywhere
from skinpaint.methods.base import Method
from skinpaint.solution import ConvergenceWarning
from skinpaint.wording import as_sentence

if TYPE_CHECKING:
    from PIL import Image

    from skinpaint.inpainter import Inpainter

__all__ = ["MIN_SCORED", "Comparison", "Entry"]

MIN_SCORED = 50  # pixels of a draw; it hides twice as many where enough are known, and some may have been hidden before


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
        PSNR in dB, of the missing pixels against the truth, or else the mean of the draws; NaN if it failed.
    margin : float
        How far from `psnr` the score of one more draw may be: less than this in 9 of 10 cases. The missing pixels are
        such a draw, but fewer pixels are missing around them, so that their score is higher: by about 0.5 dB where 10
        to 50 % of the pixels are missing at random. Infinite after one draw, and where too few pixels are missing or
        were scored to tell; NaN with a truth, and if it failed.
    scores : tuple of float
        PSNR in dB of each draw in which it took part, from the first one on; empty with a truth, and if it failed. If
        there were more draws, `psnr` is not the mean of these, but what is below the first by as much as they are.
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
    inpainter : Inpainter or None
        One with the method, its bounds and its spacing. Fit it with the comparison's `image` and `mask` for more than
        `restored`: the solution, the standard deviation, intervals. None if the method failed.
    """

    name: str
    method: Method
    psnr: float = nan
    margin: float = nan
    scores: tuple[float, ...] = ()
    ssim: float | None = None
    seconds: float = nan
    status: str = ""
    restored: np.ndarray | None = None
    error: Exception | None = None
    inpainter: Inpainter | None = None


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
        How many known pixels were hidden and predicted in all draws, or values if channels have masks of their own; 0
        with a truth.
    draws : int
        In how many draws; 0 with a truth.
    ended : str
        What ended the draws before the largest number and before the first place was clear; empty otherwise.
    channel_axis : int or None
        The axis of the channels.
    note : str
        What was taken for missing without being told; empty otherwise.
    lead : (float, float) or None
        By how many dB the best predicts better than the second in the mean over such draws, and how far from that the
        mean over many more of them may be: less than this in 9 of 10 cases. None with a truth, or without a second.
    """

    entries: tuple[Entry, ...]
    image: np.ndarray
    mask: np.ndarray
    truth: np.ndarray | None
    hidden: int
    draws: int
    ended: str
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
        head = ("", "method", "PSNR/dB", "draws" if self.truth is None else "SSIM", "seconds", "status")
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
        said = " ".join(entry.status.split())
        if entry.error is not None:
            return "-", entry.name, "-", "-", "-", said
        similarity = "-" if entry.ssim is None else f"{entry.ssim:.3f}"
        figure = str(len(entry.scores)) if self.truth is None else similarity
        return str(rank), entry.name, _interval(entry.psnr, entry.margin), figure, f"{entry.seconds:.2f}", said

    def _remarks(self) -> list[str]:
        """What the figures are, below the table."""
        unit = "value" if self.channel_axis is not None and self.mask.ndim == self.image.ndim else "pixel"
        missing = int(self.mask.sum())
        those = f"the {missing:,} missing {unit}{'s' if missing != 1 else ''}"
        if self.truth is not None:
            gaps = " where it is known" if np.ma.getmaskarray(self.truth).any() else ""
            remarks = [f"Scores are of {those}, against the truth{gaps}."]
        else:
            draws = f"{self.draws} draw{'s' if self.draws > 1 else ''}"
            hidden = f"PSNR is of {self.hidden:,} known {unit}s that were hidden"
            remarks = [f"{hidden} as the missing ones are, and predicted, in {draws}."]
            if not missing:
                remarks = [f"{hidden} and predicted, in {draws}. Nothing is missing in the image itself."]
            if self.draws > 1 and missing and self.entries[0].error is None:
                remarks.append(self._said_of_the_margins(those, unit))
            remarks += [self._said_of_the_lead(), self.ended]
        return [*filter(None, remarks), *([as_sentence(self.note)] if self.note else [])]

    def _said_of_the_margins(self, those: str, unit: str) -> str:
        if any(isfinite(entry.margin) for entry in self.entries):
            return (
                f"±: one more draw is in this interval in 9 of 10 cases. Less is missing around {those} than around "
                "hidden ones, so their PSNR may be higher."
            )
        if self.hidden < MIN_SCORED * self.draws:
            return (
                f"No interval is given: a draw scored fewer than {MIN_SCORED} {unit}s, too few to predict the PSNR of "
                "others."
            )
        return f"No interval is given: fewer {unit}s are missing than a draw scored, so their PSNR may vary much more."

    @property
    def close(self) -> bool:
        """Whether more draws might well have another winner: the interval of the lead holds zero."""
        return self.lead is not None and self.lead[0] <= self.lead[1]

    def _said_of_the_lead(self) -> str:
        if self.lead is None:
            return ""
        first, second = (entry.name for entry in self.entries[:2])
        doubt = "" if not self.close else ": too close to call" if self.draws > 1 else ", in one draw alone"
        return f"{first} leads {second} by {_interval(*self.lead)} dB{doubt}."

    def std(self, rng: np.random.Generator | int = 0) -> np.ndarray:
        """How sure the best method is of each pixel: the standard deviation of its error.

        The image is restored once more, and then :meth:`skinpaint.Inpainter.std` does what it says.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            Source of the hidden pixels and of the draws.

        Returns
        -------
        std : ndarray of float64, of the image's shape
            In the image's units; 0 where known.

        Raises
        ------
        ValueError
            If every method failed.

        Examples
        --------
        >>> from skimage import data
        >>> from skinpaint import compare
        >>> from skinpaint.damage import scratches
        >>> damaged, mask = scratches(data.camera()[:128, :128], count=6, rng=0)
        >>> std = compare(damaged, mask, ["laplace", "biharmonic"]).std()
        >>> bool((std[mask] > 0).all()), bool((std[~mask] == 0).all())
        (True, True)
        """
        best = self.best.inpainter
        assert best is not None  # as it did not fail
        anew = type(best)(**best.get_params(deep=False))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the status in its row says so
            return anew.fit(self.image, mask=self.mask).std(rng)

    def sheet(self, *, std: bool = False) -> Image.Image:
        """Draw the damaged image, the restored ones and the truth side by side, with a detail enlarged.

        The detail is where the answers differ most.

        Parameters
        ----------
        std : bool
            Whether to add a map of :meth:`std`, with a colour bar. Of channels it shows the root mean square.

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
        from skinpaint.show.heat import over_channels

        if not self._can_be_shown():
            raise ValueError(
                f"A sheet shows images of shape (M, N) or, with a channel axis, (M, N, 3). Got {self.image.shape} with "
                f"channel_axis={self.channel_axis} instead. The restored arrays are in 'entries'."
            )
        missing = self._last(everywhere(self.mask, self.image, self.channel_axis))
        answers = [self._last(entry.restored) for entry in self.entries if entry.restored is not None]
        tiles: list[tuple[Sequence[str], np.ndarray | None]] = []
        tiles.append((("damaged", f"{100 * missing.mean():.1f} % missing"), self._last(self.image)))
        said = "predicts " if self.truth is None else ""
        for rank, entry in enumerate(self.entries, 1):
            if entry.restored is None:
                tiles.append(((entry.name, "failed"), None))
            else:
                figures = f"{said}{_interval(entry.psnr, entry.margin)} dB, {entry.seconds:.2g} s"
                tiles.append(((f"{rank}. {entry.name}", figures), self._last(entry.restored)))
        if self.truth is not None:
            tiles.append((("truth", ""), self._last(self.truth)))
        heat = None
        if std and answers:  # there is none if every method failed
            spread = over_channels(self.std(), self.channel_axis)
            heat = ("standard deviation", f"of {self.best.name}, in the image's units"), spread
        detail = widest_difference(answers, missing)
        return contact_sheet(tiles, detail=detail, missing=missing, heat=heat, remarks=self._remarks())

    def _can_be_shown(self) -> bool:
        from skinpaint.show.notebook import is_picture

        return is_picture(self.image, self.channel_axis)

    def save(self, path: str | Path, *, overwrite: bool = False, std: bool = False) -> None:
        """Write the sheet as a picture.

        Parameters
        ----------
        path : str or Path
            The file; PNG is best.
        overwrite : bool, optional
            Whether an existing file may be replaced.
        std : bool, optional
            Whether to add a map of the best method's standard deviations.

        Raises
        ------
        FileExistsError
            If the file exists and `overwrite` is False.
        ValueError
            If the suffix is that of no picture, or the image cannot be shown.
        """
        from skinpaint import io

        io.check_target(path, overwrite=overwrite)
        io.write(path, np.asarray(self.sheet(std=std)), overwrite=overwrite)

    def _last(self, array: np.ndarray) -> np.ndarray:
        """The plain array, channels last."""
        plain = np.ma.getdata(array)
        return plain if self.channel_axis is None else np.moveaxis(plain, self.channel_axis, -1)


def _interval(value: float, margin: float) -> str:
    return f"{value:.2f} ± {margin:.2f}" if isfinite(margin) else f"{value:.2f}"
