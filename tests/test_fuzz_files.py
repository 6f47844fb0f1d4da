"""Damaged files of every format: a sentence or the right answer, and nothing else. Bombs are refused."""

import faulthandler
import io
import os
import re
import struct
import tempfile
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from skinpaint.io import Extras, MetadataWarning, is_lossless, read, write

N_DAMAGED = 2000  # files, of all formats together
MAX_SECONDS = 60  # after which a reader is taken to hang
MAX_BOMB = 64 * 2**20  # bytes that may be taken before a bomb is refused

SHAPE = (12, 16)
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]
GREY = (3 * X + 7 * Y + 20).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
DEEP = GREY.astype(np.uint16) * 200
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo_data():
    """EXIF data with directories inside directories."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    exif.get_ifd(0x8825)[2] = (48.0, 1.0, 2.0)
    return exif.tobytes()


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


GEO_TAGS = [
    (33550, 12, 3, (10.0, 10.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 5e5, 5e6, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (42112, 2, 0, "<GDALMetadata></GDALMetadata>", True),
    (42113, 2, 0, "-9999", True),
]


def photo_tiff():
    """A photograph with EXIF data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.tif")
        write(path, RGB.astype(np.uint16), Extras(exif=photo_data(), xmp=b"<x/>", dpi=(300, 300)))
        return path.read_bytes()


def fits():
    from astropy.io import fits

    buffer = io.BytesIO()
    science = fits.ImageHDU(GREY.astype(np.float32), name="SCI")
    mask = fits.ImageHDU((GREY > 100).astype(np.uint8), name="MASK")
    fits.HDUList([fits.PrimaryHDU(), science, mask]).writeto(buffer, checksum=True)
    return buffer.getvalue()


def numpy_file(**arrays):
    buffer = io.BytesIO()
    if len(arrays) == 1:
        np.save(buffer, *arrays.values())
    else:
        np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def heic():
    from pillow_heif import from_bytes

    buffer = io.BytesIO()
    from_bytes("RGB", (64, 64), np.tile(RGB, (6, 4, 1))[:64].tobytes()).save(buffer, exif=photo_data())
    return buffer.getvalue()


def text_of_png():
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a title")
    info.add_itxt("XML:com.adobe.xmp", "<x/>", zip=True)
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    return info


WHOLE = {
    "grey.png": lambda: saved(Image.fromarray(GREY), "PNG", pnginfo=text_of_png(), icc_profile=PROFILE),
    "palette.png": lambda: saved(Image.fromarray(RGB).quantize(8), "PNG", transparency=3),
    "deep.png": lambda: saved(Image.fromarray(DEEP), "PNG", exif=photo_data(), dpi=(300, 300)),
    "photo.jpg": lambda: saved(Image.fromarray(RGB), "JPEG", exif=photo_data(), xmp=b"<x/>", progressive=True),
    "photo.webp": lambda: saved(Image.fromarray(RGB), "WEBP", lossless=True, exif=photo_data()),
    "grey.bmp": lambda: saved(Image.fromarray(GREY), "BMP", dpi=(72, 72)),
    "palette.gif": lambda: saved(Image.fromarray(RGB).quantize(16), "GIF"),
    "plain.tif": lambda: tiff(GREY, compression="zlib", predictor=True, metadata=None),
    "colours.tif": lambda: tiff(RGB, photometric="rgb", compression="lzw", extratags=[(274, 3, 1, 6, True)]),
    "photo.tif": photo_tiff,
    "scene.tif": lambda: tiff(
        np.stack([DEEP.astype(np.int16)] * 4), tile=(16, 16), planarconfig="separate", extratags=GEO_TAGS, metadata=None
    ),
    "series.ome.tif": lambda: tiff(np.stack([DEEP] * 4).reshape(2, 2, *SHAPE), ome=True, metadata={"axes": "TZYX"}),
    "stack.tif": lambda: tiff(np.stack([DEEP] * 3), imagej=True, metadata={"axes": "ZYX", "spacing": 2.0}),
    "big.tif": lambda: tiff(GREY.astype(">f4"), bigtiff=True, byteorder=">"),
    "frame.fits": fits,
    "array.npy": lambda: numpy_file(image=GREY.astype(np.float64)),
    "arrays.npz": lambda: numpy_file(image=DEEP, mask=GREY > 100),
    "photo.heic": heic,
}


@pytest.fixture(scope="module")
def whole():
    pytest.importorskip("astropy")
    pytest.importorskip("pillow_heif")
    return {name: make() for name, make in WHOLE.items()}


def damaged(contents, rng):
    """One of the ways in which a file gets damaged: cut off, flipped bits, bytes set, bytes lost or put in."""
    data = bytearray(contents)
    end = len(data) if rng.random() < 0.5 else min(len(data), 256)  # headers more often than their share
    kind = rng.integers(5)
    if kind == 0:
        return bytes(data[: rng.integers(len(data))])
    for place in rng.integers(0, end, 2 ** rng.integers(6)):
        if kind == 1:
            data[place % len(data)] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            data[place % len(data)] = (0, 1, 127, 128, 255)[rng.integers(5)]
        elif kind == 3:
            del data[place : place + rng.integers(1, 9)]
        else:
            data[place:place] = rng.bytes(rng.integers(1, 9))
        if not data:
            break
    return bytes(data)


def check_sentence(said, *paths):
    """An error or a warning is one line that begins with the name of a file and ends with a full stop."""
    about = "|".join(re.escape(str(path)) for path in paths)
    assert re.fullmatch(rf"({about}) [^\n]+\.", said), f"no sentence: {said}"


def try_to_read(folder, name, contents, *, read=read, write=write):
    """Read a file, and write and read again what it held; everything but an answer or a sentence is an AssertionError.

    Returns whether there was an answer.
    """
    path = folder / name
    path.write_bytes(contents)
    again = folder / f"again{path.suffix if is_lossless(path) else '.png'}"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        refusal = _round_trip(path, again, read, write)
    if refusal is not None:
        check_sentence(refusal, path, again)
    for each in warned:
        assert issubclass(each.category, MetadataWarning), f"a stray {each.category.__name__}: {each.message}"
        check_sentence(str(each.message), path, again)
    left = {found.name for found in folder.iterdir()} - {again.name}
    assert left == {name}, f"files that nobody asked for: {left}"
    assert again.exists() == (refusal is None), "a file that is not whole"
    again.unlink(missing_ok=True)
    return refusal is None


def _round_trip(path, again, read, write):
    """Why there is no answer, or None."""
    try:
        image, extras = read(path)
        assert type(image) is np.ndarray
        assert image.size > 0, "no pixels"
        assert len(extras.axes) == image.ndim, "not a letter for each axis"
        assert extras.alpha is None or extras.alpha.dtype == image.dtype
        write(again, image, extras)
        np.testing.assert_array_equal(read(again)[0], image)
    except (OSError, ValueError) as error:
        return str(error)
    return None


def check_silence(capfd):
    """Nothing was printed, by no library, past Python's streams."""
    said = capfd.readouterr()
    assert said.out + said.err == "", f"noise: {said.out}{said.err}"


def test_whole_files_are_read(tmp_path, whole):
    for name, contents in whole.items():
        assert try_to_read(tmp_path, name, contents), name
        (tmp_path / name).unlink()


@pytest.mark.parametrize("name", WHOLE)
def test_damaged_files(tmp_path, capfd, whole, name):
    rng = np.random.default_rng(list(WHOLE).index(name))
    count = -(-N_DAMAGED // len(WHOLE))
    answers = 0
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    try:
        for k in range(count):
            contents = damaged(whole[name], rng)
            try:
                answers += try_to_read(tmp_path, name, contents)
            except Exception as error:
                raise AssertionError(f"file {k} of {name}, {contents[:300]!r}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    check_silence(capfd)
    assert answers < count, "some are beyond repair"


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_cut_off_is_read_whole_or_not_at_all(tmp_path, whole, name):
    path = tmp_path / name
    path.write_bytes(whole[name])
    image, _ = read(path)
    for length in np.linspace(0, len(whole[name]) - 1, 60).astype(int):
        path.write_bytes(whole[name][:length])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetadataWarning)
            try:
                found, _ = read(path)
            except ValueError:
                continue
        np.testing.assert_array_equal(found.ravel(), image.ravel(), err_msg=f"cut off after {length} bytes")


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(bits):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, bits, 2, 0, 0, 0)
    data = zlib.compress(bytes(10**6))
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def tiff_bomb():
    """Width and length of a small file, changed to a million."""
    contents = bytearray(tiff(GREY, metadata=None))
    for code in (256, 257):
        at = contents.index(struct.pack("<HHI", code, 4, 1))
        contents[at + 8 : at + 12] = struct.pack("<I", 10**6)
    return bytes(contents)


def npy_header(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def npz_bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", npy_header((10**5, 10**5)) + bytes(10**6))
    return buffer.getvalue()


def fits_bomb():
    cards = ["SIMPLE  =                    T", "BITPIX  =                  -64", "NAXIS   =                    2",
             "NAXIS1  =               100000", "NAXIS2  =               100000", "END"]  # fmt: skip
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode() + bytes(2880)


def jpeg_bomb():
    contents = bytearray(saved(Image.fromarray(RGB), "JPEG"))
    at = contents.index(b"\xff\xc0")
    contents[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(contents)


def heic_bomb():
    contents = bytearray(heic())
    at = contents.index(b"ispe")
    contents[at + 8 : at + 16] = struct.pack(">II", 10**6, 10**6)
    return bytes(contents)


BOMBS = {
    "bytes.png": lambda: png_bomb(8),
    "deep.png": lambda: png_bomb(16),
    "large.tif": tiff_bomb,
    "large.gif": lambda: b"GIF89a" + struct.pack("<HHBBB", 65_000, 65_000, 0x80, 0, 0) + bytes(6) + b","
    + struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0) + b"\x02\x02\x4c\x01\x00;",
    "large.webp": lambda: b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10)
    + b"\x10\0\0\0" + b"\xff\xff\x00" + b"\xff\xff\x00" + b"VP8L\x08\0\0\0\x2f\xff\xff\xff\x0f\0\0\0",
    "large.bmp": lambda: b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "large.jpg": jpeg_bomb,
    "large.npy": lambda: npy_header((10**5, 10**5)),
    "large.npz": npz_bomb,
    "large.fits": fits_bomb,
    "large.heic": heic_bomb,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(tmp_path, capfd, name):
    pytest.importorskip({".fits": "astropy", ".heic": "pillow_heif"}.get(Path(name).suffix, "PIL"))
    contents = BOMBS[name]()
    read_once(tmp_path / name, contents)  # loads the decoder
    tracemalloc.start()
    try:
        said = read_once(tmp_path / name, contents)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check_sentence(said, tmp_path / name)
    assert taken < MAX_BOMB, f"{taken / 2**20:.0f} MiB for {len(contents)} bytes"
    check_silence(capfd)


def read_once(path, contents):
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="cannot be read as a picture") as refused:
        read(path)
    return str(refused.value)


def raising(error):
    def read(path):
        raise error

    return read


def faulty(change):
    """A reader that does something beside its work."""

    def reader(path):
        answer = read(path)
        return change(path, *answer) or answer

    return reader


def half(path, image, extras):
    path.write_bytes(b"half of it")
    raise ValueError(f"{path} cannot be written: an accident.")


FAULTS = {
    "an error that no user expects": ({"read": raising(KeyError("tag 33550"))}, KeyError, "33550"),
    "an error without the file": ({"read": raising(ValueError("bad header."))}, AssertionError, "no sentence"),
    "a warning": ({"read": faulty(lambda *_: warnings.warn("by the way", stacklevel=1))}, AssertionError, "a stray"),
    "a file": ({"read": faulty(lambda path, *_: path.with_suffix(".log").touch())}, AssertionError, "nobody asked for"),
    "no pixels": ({"read": faulty(lambda path, image, extras: (image[:0], extras))}, AssertionError, "no pixels"),
    "no axes": ({"read": faulty(lambda path, image, extras: (image, Extras()))}, AssertionError, "not a letter"),
    "half a file": ({"write": half}, AssertionError, "not whole"),
    "other pixels": (
        {"write": lambda path, image, extras: write(path, image + 1, extras)}, AssertionError, "Arrays are not equal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_sees(tmp_path, whole, fault):
    changes, error, says = FAULTS[fault]
    with pytest.raises(error, match=says):
        try_to_read(tmp_path, "grey.png", whole["grey.png"], **changes)


def test_the_judge_hears(capfd):
    os.write(2, b"libtiff: a warning of a library\n")
    with pytest.raises(AssertionError, match="noise: libtiff"):
        check_silence(capfd)


def test_the_judge_weighs():
    """What takes memory in Python or NumPy before it refuses counts."""
    tracemalloc.start()
    try:
        np.zeros(MAX_BOMB, np.uint8)
        assert tracemalloc.get_traced_memory()[1] >= MAX_BOMB
    finally:
        tracemalloc.stop()
