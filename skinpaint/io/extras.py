"""What a picture file holds beside the picture, and how it is taken out of it and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from skinpaint.io.codec import Unreadable
from skinpaint.io.place import Place

__all__ = [
    "SPATIAL_LETTERS",
    "Carried",
    "Extras",
    "MetadataWarning",
    "is_opaque",
    "opaque",
    "picture",
    "plausible_dpi",
    "upright",
    "with_alpha",
]

CHANNEL_LETTERS = "SC"  # samples of a pixel before channels of a microscope
SPATIAL_LETTERS = "ZYX"
MIN_ANISOTROPY = 1.01  # spacings of a file that differ by less are equal


class MetadataWarning(UserWarning):
    """Something that a file held beside its picture is not in the file that was written; the message says what."""


@dataclass(frozen=True)
class Carried:
    """Metadata that one format alone can hold, and puts back where the picture is written in it again.

    Attributes
    ----------
    format : str
        The name of the format.
    what : str
        What it is, in words; nothing if it can go without a word.
    data : object
        For the codec alone.
    shape : tuple of int
        The shape of the picture it belongs to.
    """

    format: str
    what: str
    data: Any = field(repr=False)
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a picture file holds beside the picture, and what is carried over to the file that is written.

    Attributes
    ----------
    alpha : ndarray of shape (M, N) or None
        Opacity, of the picture's dtype.
    icc_profile : bytes or None
        The colour profile.
    dpi : tuple of float or None
        Resolution in dots an inch, across and down.
    exif : bytes or None
        EXIF data without the orientation, which has been applied.
    xmp : bytes or None
        XMP data, in which the orientation is upright.
    axes : str
        A letter for each axis of the picture: X, Y and Z in space, S for the samples of a pixel and C for channels, T
        for time; others are frames that have nothing to do with each other.
    black : scalar of the picture's dtype or None
        What black is, where the file says that 0 is white and its values were kept, as those of a raster are.
    stated : str
        The axes, if the file itself says what they are; empty where they are guessed from the shape.
    spacing : tuple of float or None
        Distance between neighbours along each axis in space, in the unit of the file.
    place : Place or None
        Where the picture is on the ground, if its file says that.
    nodata : tuple of float
        Values that mean missing.
    scale, offset : float or ndarray
        A value v of the picture stands for ``scale * v + offset``. Arrays hold a number for each sample, in a shape
        that broadcasts to the picture's.
    unit : str
        The unit of what values stand for, where the file says so.
    missing : ndarray of bool or None
        What the file marks as missing by a mask of its own, or one beside it that GDAL wrote; of the picture's shape
        without its samples. A FITS file that is written marks no more than this.
    lost : tuple of str
        What the file holds besides, and no file that is written will, in words.
    about : str
        What was chosen or converted to read it, in words: which image of several, a palette.
    hint : str
        What may mark missing pixels and was not taken for a mask, and how to give it, in words.
    carried : Carried or None
        Metadata that only the file's own format can hold.
    """

    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    axes: str = ""
    black: np.unsignedinteger[Any] | None = None
    stated: str = ""
    spacing: tuple[float, ...] | None = None
    place: Place | None = None
    nodata: tuple[float, ...] = ()
    scale: Any = 1.0
    offset: Any = 0.0
    unit: str = ""
    missing: np.ndarray | None = None
    lost: tuple[str, ...] = ()
    about: str = ""
    hint: str = ""
    carried: Carried | None = None

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels, or None.

        Examples
        --------
        >>> Extras(axes="TCYX").channel_axis, Extras(axes="YXS").channel_axis, Extras(axes="ZYX").channel_axis
        (1, 2, None)
        """
        found = [self.axes.index(letter) for letter in CHANNEL_LETTERS if letter in self.axes]
        return found[0] if found else None

    @property
    def frame_axes(self) -> tuple[int, ...]:
        """The axes along which frames follow each other, each to be restored on its own.

        Examples
        --------
        >>> Extras(axes="TCYX").frame_axes, Extras(axes="QYX").frame_axes, Extras(axes="ZYX").frame_axes
        ((0,), (0,), ())
        """
        channel = self.channel_axis
        return tuple(k for k, letter in enumerate(self.axes) if letter not in SPATIAL_LETTERS and k != channel)

    @property
    def steps(self) -> dict[str, float]:
        """How far neighbours are from each other along each axis in space, in units of the shortest; none if equal.

        Examples
        --------
        >>> Extras(axes="ZYX", spacing=(0.5, 0.1, 0.1)).steps, Extras(axes="YX", dpi=(200, 100)).steps
        ({'Z': 5.0, 'Y': 1.0, 'X': 1.0}, {'Y': 2.0, 'X': 1.0})
        """
        letters = [letter for letter in self.axes if letter in SPATIAL_LETTERS]
        spacing = self.spacing
        if spacing is None and self.dpi is not None and letters == ["Y", "X"]:  # of a scan
            spacing = (1 / self.dpi[1], 1 / self.dpi[0])
        if spacing is None or max(spacing) < MIN_ANISOTROPY * min(spacing):
            return {}
        return {letter: h / min(spacing) for letter, h in zip(letters, spacing, strict=True)}

    @property
    def is_scaled(self) -> bool:
        """Whether values stand for others."""
        return bool(np.any(self.scale != 1) or np.any(self.offset != 0))

    def as_seen(self, values: np.ndarray) -> np.ndarray:
        """The picture, in which more is white, from values like those that were read; those of few bits fill 8.

        Examples
        --------
        >>> Extras(black=np.uint8(255)).as_seen(np.array([0, 250], np.uint8))
        array([255,   5], dtype=uint8)
        >>> Extras(black=np.uint8(15)).as_seen(np.array([0, 14], np.uint8))
        array([255,  17], dtype=uint8)
        """
        if self.black is None or values.dtype != self.black.dtype:
            return values
        seen = self.black - np.minimum(values, self.black)
        return seen * np.uint8(255 // self.black) if values.dtype == np.uint8 else seen

    def opaque_where(self, filled: np.ndarray) -> Extras:
        """Return extras whose alpha, if there is one, is opaque wherever `filled` is True.

        Parameters
        ----------
        filled : ndarray of bool, of shape (M, N)
            Pixels that were transparent because they were missing, and are to be seen now.

        Returns
        -------
        extras : Extras
            New extras.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint.io import Extras
        >>> Extras(alpha=np.array([[0, 90]], np.uint8)).opaque_where(np.array([[True, False]])).alpha
        array([[255,  90]], dtype=uint8)
        """
        if self.alpha is None:
            return self
        return replace(self, alpha=np.where(filled, _highest(self.alpha), self.alpha).astype(self.alpha.dtype))

    def shown_where(self, filled: Any) -> Extras:
        """Return extras whose alpha is opaque wherever it hid what `filled`, of its shape, says was missing.

        Examples
        --------
        >>> extras = Extras(alpha=np.array([[0, 0, 90]], np.uint8))
        >>> extras.shown_where(np.array([[True, False, True]])).alpha
        array([[255,   0,  90]], dtype=uint8)
        """
        if self.alpha is None or self.alpha.shape != filled.shape:
            return self
        return self.opaque_where(filled & (self.alpha == 0))

    def known_where(self, filled: np.ndarray) -> Extras:
        """Return extras whose own mask, if there is one, no longer marks what `filled` says was missing.

        Parameters
        ----------
        filled : ndarray of bool
            Pixels or values that are known now: of a shape that the mask broadcasts to, or of this without channels.

        Examples
        --------
        >>> Extras(missing=np.array([True, True, False])).known_where(np.array([True, False, False])).missing
        array([False,  True, False])
        >>> Extras(axes="XS", missing=np.ones((2, 3), bool)).known_where(np.array([True, False])).missing
        array([[False, False, False],
               [ True,  True,  True]])
        """
        if self.missing is None:
            return self
        if self.missing.ndim > filled.ndim and self.channel_axis is not None:
            filled = np.expand_dims(filled, self.channel_axis)
        return replace(self, missing=self.missing & ~filled)


def opaque(dtype: np.dtype) -> float:
    """Return the value of full opacity, which is also white."""
    return int(np.iinfo(dtype).max) if dtype.kind in "iu" else 1


def is_opaque(alpha: np.ndarray) -> bool:
    """Whether an alpha channel hides nothing."""
    return bool((alpha == _highest(alpha)).all())


def _highest(alpha: np.ndarray) -> float:
    """Full opacity in an alpha channel; some writers of floats take 255 for it, not 1."""
    full = opaque(alpha.dtype)
    return max(full, float(alpha.max())) if alpha.dtype.kind == "f" else full


def plausible_dpi(dpi: Sequence[float], orientation: int) -> tuple[float, float] | None:
    """Return the resolution across and down the picture once it is upright; files hold 0 and worse, and 1 for none.

    Examples
    --------
    >>> plausible_dpi((300, 150), orientation=6), plausible_dpi((1, 1), orientation=1)
    ((150.0, 300.0), None)
    """
    if len(dpi) != 2 or not all(1 < number <= 1e5 for number in dpi):
        return None
    across, down = (round(float(number), 2) for number in dpi)
    return (down, across) if orientation >= 5 else (across, down)


def picture(pixels: np.ndarray, orientation: int, extras: Extras) -> tuple[np.ndarray, Extras]:
    """Turn the pixels the right way up and take the alpha out of them."""
    pixels = np.ascontiguousarray(upright(pixels, orientation).astype(pixels.dtype.newbyteorder("="), copy=False))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels, replace(extras, axes="YXS"[: pixels.ndim])
    if pixels.shape[2] not in (2, 4):
        raise Unreadable(f"it holds {pixels.shape[2]} channels. Convert it to grey or RGB first.")
    colours, alpha = pixels[..., :-1].copy(), pixels[..., -1].copy()
    colours = colours[..., 0] if colours.shape[2] == 1 else colours
    return colours, replace(extras, alpha=alpha, axes="YXS"[: colours.ndim])


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation: odd flips and quarter turns, counted from 1, which is upright."""
    return {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: np.rot90(p),
    }.get(orientation, lambda p: p)(pixels)


def with_alpha(image: np.ndarray, extras: Extras) -> np.ndarray:
    """Return the picture with its alpha as the last channel, if there is one."""
    return image if extras.alpha is None else np.dstack([image, extras.alpha])
