"""An image to paint on: its pixels, its colours on a screen, and its pyramid of reduced copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from skinpaint.lazy import lazy
from skinpaint.paint.boxes import Box
from skinpaint.scores import GREY_LEVEL

__all__ = ["Picture", "reduced"]

SAMPLE = 2**19  # values from which the range of an image is judged
PERCENTILES = (0.1, 99.9)  # of the values that go from black to white where the dtype does not say it
STRIP = 256  # rows of a reduced copy that are made at a time: they stay in the cache
SMALLEST_SIDE = 256  # pixels: an image is not reduced further


class Picture:
    """An image to paint on.

    Parameters
    ----------
    image : ndarray of shape (M, N) or (M, N, C)
        Integers or floats; it is never written to.
    icc_profile : bytes, optional
        Its colour profile, from which its colours on the screen follow.
    black : scalar of the image's dtype, optional
        What black is, in an image in which 0 is white.
    missing : ndarray of bool, of shape (M, N), optional
        Pixels by which the range is not judged, such as those that hold a nodata value.
    name : str
        What it is called.

    Examples
    --------
    >>> picture = Picture(np.array([[0, 4095], [2048, 1024]], np.uint16))
    >>> picture.shape, picture.on_screen(picture.image)[..., 0].tolist()
    ((2, 2), [[0, 255], [128, 64]])
    """

    def __init__(
        self,
        image: np.ndarray,
        *,
        icc_profile: bytes | None = None,
        black: np.unsignedinteger[Any] | None = None,
        missing: np.ndarray | None = None,
        name: str = "",
    ) -> None:
        image = np.asarray(image)
        if image.dtype.kind not in "uif" or image.ndim not in (2, 3) or image.size == 0:
            raise ValueError(
                "The 'image' parameter must hold integers or floats, of shape (M, N) or (M, N, C). "
                f"Got {image.dtype} of shape {image.shape} instead."
            )
        self.image = image if image.ndim == 3 else image[..., None]
        self.icc_profile = icc_profile
        self.black = black
        self.missing = missing
        self.name = name
        self._levels: dict[int, np.ndarray] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def levels(self) -> int:
        """Number of levels of the pyramid: the image itself, and copies with half the pixels along each axis."""
        return max(1, int(np.ceil(np.log2(max(self.shape) / SMALLEST_SIDE))) + 1)

    def read(self, level: int, box: Box) -> np.ndarray:
        """The pixels of a box of a level: means of those of the image, as floats but on level 0."""
        if level == 0:
            return self.image[box.slices]
        if level % 2 == 0:
            return self._whole(level)[box.slices]
        shape = self.shape_at(level - 1)
        return reduced(self.read(level - 1, box.from_level(1).within(shape)), 1)

    def shape_at(self, level: int) -> tuple[int, int]:
        """Height and width of a level."""
        return Box(0, 0, *self.shape).at_level(level).shape

    def _whole(self, level: int) -> np.ndarray:
        """A level whose sides are a quarter of those of the one that is two levels below. It is kept."""
        if level not in self._levels:
            below = self.image if level == 2 else self._whole(level - 2)
            out = np.empty((*self.shape_at(level), below.shape[2]), np.float32)
            for top in range(0, out.shape[0], STRIP):
                out[top : top + STRIP] = reduced(below[4 * top : 4 * (top + STRIP)], 2)
            self._levels[level] = out
        return self._levels[level]

    @lazy
    def range(self) -> tuple[float, float]:
        """The values that are black and white on the screen.

        They are the limits of the dtype for 8 bits, for colours of 16 bits that use more than half of them, and for
        images with a colour profile; 0 and 1 for floats within them, if they reach 1/255; and else the 0.1 and 99.9
        percentiles, all of what is known. Where 0 is white they change places.
        """
        low, high = self._limits()
        return (low, high) if self.black is None else (high, low)

    def leave_out(self, missing: np.ndarray) -> None:
        """Judge the range by other pixels than these."""
        self.missing = missing
        self.__dict__.pop("range", None)

    def _limits(self) -> tuple[float, float]:
        dtype = self.image.dtype
        if dtype == np.uint8:
            return 0.0, 255.0 if self.black is None else float(self.black)
        step = max(1, int(np.sqrt(self.image.size / SAMPLE)))
        sample = self.image[::step, ::step]
        if self.missing is not None:
            sample = sample[~self.missing[::step, ::step]]
        sample = sample[np.isfinite(sample)].astype(float)
        if not sample.size:
            return 0.0, 1.0
        if dtype.kind == "f" and sample.min() >= 0 and (GREY_LEVEL <= sample.max() <= 1 or sample.max() == 0):
            return 0.0, 1.0
        colours = self.image.shape[2] == 3 or self.icc_profile is not None
        if dtype == np.uint16 and colours and (self.icc_profile is not None or sample.max() > 2**15):
            return 0.0, 65535.0
        low, high = (float(each) for each in np.percentile(sample, PERCENTILES))
        return (low, high) if high > low else (low, low + max(1.0, float(np.spacing(np.float32(abs(low))))))

    @property
    def shown_as(self) -> str:
        """A sentence on how values become brightness, where that is not plain to see."""
        channels = self.image.shape[2]
        said = f" Channel 1 of {channels} is shown." if channels not in (1, 3) else ""
        if self.range in ((0.0, 1.0), (0.0, 255.0), (0.0, 65535.0)):
            return said.strip()
        low, high = self.range
        return f"Values from {low:.6g} to {high:.6g} are shown from black to white.{said}"

    def on_screen(self, values: np.ndarray) -> np.ndarray:
        """Colours in sRGB, 8 bits, of shape (..., 3), for values of the image or of its levels."""
        channels = values if values.shape[-1] == 3 else values[..., :1]
        low, high = self.range
        if channels.dtype != np.uint8 or (low, high) != (0, 255):
            scaled = np.subtract(channels, np.float32(low), dtype=np.float32)
            scaled *= np.float32(255 / (high - low))
            np.nan_to_num(scaled, copy=False, nan=0.0)
            channels = np.rint(np.clip(scaled, 0, 255, out=scaled), out=scaled).astype(np.uint8)
        if self._to_srgb is not None:
            return self._converted(channels)
        return channels if channels.shape[-1] == 3 else np.repeat(channels, 3, axis=-1)

    @lazy
    def _to_srgb(self) -> Any:
        """The transform of a colour profile to sRGB; None where there is none that fits."""
        if self.icc_profile is None:
            return None
        from io import BytesIO

        from PIL import ImageCms

        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(self.icc_profile))
            mode = {"RGB": "RGB", "GRAY": "L"}.get(profile.profile.xcolor_space.strip())
            if mode is None or (mode == "RGB") != (self.image.shape[2] == 3):
                return None
            return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
        except (OSError, ImageCms.PyCMSError):  # a profile that is damaged
            return None

    def _converted(self, channels: np.ndarray) -> np.ndarray:
        from PIL import Image, ImageCms

        flat = np.ascontiguousarray(channels.reshape(-1, channels.shape[-2], channels.shape[-1]))
        source = Image.fromarray(flat if flat.shape[-1] == 3 else flat[..., 0])
        target = ImageCms.applyTransform(source, self._to_srgb)
        return np.asarray(target).reshape(*channels.shape[:-1], 3)


def reduced(values: np.ndarray, level: int) -> np.ndarray:
    """Means over blocks of ``2**level`` pixels along each axis, in float32; the last row and column are repeated.

    Examples
    --------
    >>> reduced(np.array([[1, 3, 5], [5, 7, 9]], np.uint8)[..., None], 1)[..., 0].tolist()
    [[4.0, 7.0]]
    """
    side = 1 << level
    rows, columns = (-n % side for n in values.shape[:2])
    if rows or columns:
        values = np.pad(values, ((0, rows), (0, columns), (0, 0)), mode="edge")
    total = np.zeros((values.shape[0] // side, values.shape[1] // side, values.shape[2]), np.float32)
    for row in range(side):
        for column in range(side):
            total += values[row::side, column::side]
    total /= side * side
    return total
