"""Picture files: what goes in comes out, the right way up, whole or not at all."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from skinpaint.io import Extras, check_place, check_target, read, read_mask, whole_file, write
from skinpaint.io.npy import NPY
from skinpaint.io.pillow import JPEG

LOSSLESS = [
    (".png", np.uint8),
    (".png", np.uint16),
    (".webp", np.uint8),
    *(
        (suffix, dtype)
        for suffix in (".tif", ".tiff")
        for dtype in (np.uint8, np.uint16, np.int16, np.float32, np.float64)
    ),
]


def noise(dtype, shape, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize(("suffix", "dtype"), LOSSLESS)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    colour=st.booleans(),
    alpha=st.booleans(),
    dpi=st.none() | st.tuples(st.integers(30, 2400), st.integers(30, 2400)),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None)
def test_lossless_round_trip(tmp_path_factory, suffix, dtype, height, width, colour, alpha, dpi, seed):
    path = tmp_path_factory.mktemp("io") / f"picture{suffix}"
    colour = colour or suffix == ".webp"
    image = noise(dtype, (height, width, 3) if colour else (height, width), seed)
    opacity = noise(dtype, (height, width), seed + 1) if alpha else None
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    dpi = None if suffix == ".webp" else dpi
    write(path, image, Extras(alpha=opacity, dpi=dpi, icc_profile=profile))
    back, extras = read(path)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, image)
    if alpha and not (suffix == ".webp" and (opacity == 255).all()):
        np.testing.assert_array_equal(extras.alpha, opacity)
    assert extras.icc_profile == profile
    assert dpi is None or extras.dpi == pytest.approx(dpi, abs=0.02)


def test_jpeg_is_near(tmp_path):
    image = np.add.outer(np.arange(32), 4 * np.arange(32)).astype(np.uint8)
    write(tmp_path / "a.jpg", image, Extras(dpi=(300, 200)))
    back, extras = read(tmp_path / "a.jpg")
    assert np.abs(back.astype(int) - image).max() <= 2
    assert extras.dpi == (300, 200)


def test_a_resolution_without_a_unit_is_none(tmp_path):
    """Programs that add EXIF data to a JPEG without a resolution state 1 in it, of no unit."""
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 1.0, 1.0, 1
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    image, extras = read(tmp_path / "a.jpg")
    assert extras.dpi is None
    write(tmp_path / "a.png", image, extras)
    assert read(tmp_path / "a.png")[1].dpi is None


def test_nan_survives_a_tiff(tmp_path):
    image = np.array([[1.5, np.nan], [np.inf, -2]], np.float32)
    write(tmp_path / "a.tif", image)
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], image)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "deep PNG", "deep TIFF"])
def test_orientation_is_applied_and_reset(tmp_path, kind, orientation):
    path = tmp_path / f"a.{kind.split()[-1].lower()}"
    truth = np.kron(np.arange(6).reshape(2, 3) * 40, np.ones((16, 16))).astype(np.uint8)
    truth = np.stack([truth, 255 - truth, truth // 2], axis=-1)
    undo = {6: 8, 8: 6}.get(orientation, orientation)
    exif = Image.Exif()
    exif[0x0112] = undo
    stored = np.asarray(ImageOps.exif_transpose(with_exif(Image.fromarray(truth), exif)))
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    across, down = (300, 150) if orientation < 5 else (150, 300)
    if kind == "deep TIFF":
        tag = [(274, 3, 1, orientation, True)]
        tifffile.imwrite(path, stored.astype(np.uint16), photometric="rgb", resolution=(across, down),
                         resolutionunit="inch", extratags=tag)  # fmt: skip
    elif kind == "deep PNG":
        write(path, stored.astype(np.uint16), Extras(dpi=(across, down), exif=exif.tobytes()))
    else:
        Image.fromarray(stored).save(path, exif=exif.tobytes(), dpi=(across, down))
    image, extras = read(path)
    np.testing.assert_allclose(image[8::16, 8::16].astype(int), truth[8::16, 8::16], atol=8)
    if kind != "WEBP":
        assert extras.dpi == pytest.approx((300, 150), abs=0.02)
    if kind not in ("TIFF", "deep TIFF"):
        carried = Image.Exif()
        carried.load(extras.exif)
        assert carried.get(0x0112, 1) == 1
        assert carried[0x010F] == "a camera"
    write(tmp_path / f"b.{path.suffix}", image, extras)
    with Image.open(tmp_path / f"b.{path.suffix}") as again:
        assert again.getexif().get(0x0112, 1) == 1
        assert kind == "deep TIFF" or again.getexif()[0x010F] == "a camera"
        assert again.size == (48, 32)


def with_exif(image, exif):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif.tobytes())
    return Image.open(buffer)


@pytest.mark.parametrize(
    ("mode", "shape", "alpha"), [("1", (4, 6), False), ("P", (4, 6, 3), False), ("PA", (4, 6, 3), True)]
)
def test_palettes_and_single_bits_become_grey_and_rgb(tmp_path, mode, shape, alpha):
    image = Image.fromarray(noise(np.uint8, (4, 6, 4)), "RGBA")
    if mode == "PA":
        image.quantize(8).save(tmp_path / "a.png", transparency=3)
    else:
        image.convert("RGB").convert(mode).save(tmp_path / "a.png")
    pixels, extras = read(tmp_path / "a.png")
    assert (pixels.shape, pixels.dtype, extras.alpha is not None) == (shape, np.uint8, alpha)


def test_phone_pictures_with_previews_are_read(tmp_path):
    first, preview = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    assert read(tmp_path / "a.jpg")[0][0, 0, 0] > 200


def test_refused_contents(tmp_path):
    Image.new("CMYK", (4, 4)).save(tmp_path / "cmyk.jpg")
    with tifffile.TiffWriter(tmp_path / "sizes.tif") as writer:
        for side in (8, 9, 10):
            writer.write(np.zeros((side, side), np.uint16), photometric="minisblack", metadata=None)
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    (tmp_path / "text.png").write_text("no picture")
    write(tmp_path / "whole.png", noise(np.uint8, (64, 64)))
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(noise(np.uint8, (8, 8, 4)), "CMYK").save(tmp_path / "cmyk.tif")
    for name, says in {
        "cmyk.jpg": "it holds CMYK data. Convert it",
        "cmyk.tif": "it holds CMYK data. Convert it",
        "sizes.tif": r"it holds 3 pictures of different kinds \(YX \(8, 8\); YX \(9, 9\); YX \(10, 10\)\)",
        "moving.webp": "it holds 2 frames",
        "text.png": "not PNG, JPEG, TIFF, WebP, BMP, FITS, NPY, NPZ, GIF or HEIC",
        "half.png": "",
    }.items():
        with pytest.raises(ValueError, match=f"{name} cannot be read as a picture: .*{says}"):
            read(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere.png")


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    writer = os.open(tmp_path / "pipe.png", os.O_RDWR)
    os.write(writer, bytes(100))  # else who opens it would wait
    with pytest.raises(ValueError, match=r"pipe\.png cannot be read as a picture: it is a pipe"):
        read(tmp_path / "pipe.png")
    os.close(writer)


@pytest.mark.parametrize(
    ("name", "dtype", "says"),
    [
        ("a.jpg", np.uint16, "JPEG does not hold uint16 data. Write PNG or TIFF instead"),
        ("a.webp", np.uint16, "WebP does not hold uint16 data. Write PNG or TIFF instead"),
        ("a.png", np.float32, "PNG does not hold float32 data. Write TIFF"),
        ("a.tif", complex, "TIFF does not hold complex128"),
        ("a.gif", np.uint8, "GIF is only read. Write PNG, TIFF or WebP"),
        ("a", np.uint8, "suffix must be one of .png"),
        ("a", np.float64, "suffix must be one of .tif, .tiff, .fits, .fit, .fts, .npy, .npz."),
    ],
)
def test_formats_that_cannot_hold_the_data(tmp_path, name, dtype, says):
    with pytest.raises(ValueError, match=says):
        write(tmp_path / name, np.zeros((4, 4), dtype))
    assert not list(tmp_path.iterdir())


def test_jpeg_takes_opaque_alpha_and_no_other(tmp_path):
    image = np.zeros((4, 4, 3), np.uint8)
    write(tmp_path / "a.jpg", image, Extras(alpha=np.full((4, 4), 255, np.uint8)))
    with pytest.raises(ValueError, match="JPEG holds no alpha channel"):
        check_target(tmp_path / "b.jpg", np.uint8, Extras(alpha=np.zeros((4, 4), np.uint8)))


def test_shape_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"PNG holds arrays of shape \(M, N\) or \(M, N, 3\). Got \(4, 4, 2\)"):
        write(tmp_path / "a.png", np.zeros((4, 4, 2), np.uint8))


def test_nothing_is_replaced_unasked(tmp_path):
    path = tmp_path / "a.png"
    write(path, np.zeros((2, 2), np.uint8))
    with pytest.raises(FileExistsError, match="overwrite"):
        write(path, np.ones((2, 2), np.uint8))
    assert read(path)[0].max() == 0
    write(path, np.ones((2, 2), np.uint8), overwrite=True)
    assert read(path)[0].max() == 1


def test_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError):
        write_half_of(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "before"


def test_a_name_as_long_as_may_be(tmp_path):
    path = tmp_path / f"{'n' * 251}.png"
    write(path, np.zeros((2, 2), np.uint8))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError, match=r"a\.txt exists"), whole_file(path) as partial:
        _ = partial.write_text("ours"), path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_that_of_the_file(tmp_path):
    """'File too large.' said nothing of which of several files it was."""
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match=r"No space .*a\.txt'") as raised, whole_file(path):
        raise OSError(28, "No space left on device")
    assert raised.value.filename == str(path)


def write_half_of(path):
    with whole_file(path, overwrite=True) as partial:
        partial.write_text("half of")
        1 / 0  # noqa: B018


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*no does not exist"):
        check_place(tmp_path / "no" / "a.txt")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        check_place(tmp_path, overwrite=True)


def test_a_folder_that_may_not_be_written_to_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: not (path == tmp_path and mode == os.W_OK))
    with pytest.raises(PermissionError, match=r"a\.png cannot be written: the folder .* may not be written to"):
        check_target(tmp_path / "a.png", np.uint8)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_written_files_have_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    write(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_mask_is_thresholded_grey(tmp_path, dtype):
    scale = np.iinfo(dtype).max // 255
    write(tmp_path / "mask.png", (np.array([[0, 127, 128, 255]]) * scale).astype(dtype))
    assert read_mask(tmp_path / "mask.png").tolist() == [[False, False, True, True]]
    assert read_mask(tmp_path / "mask.png", threshold=1).tolist() == [[False, True, True, True]]
    assert read_mask(tmp_path / "mask.png", threshold=255).tolist() == [[False, False, False, True]]


@pytest.mark.parametrize("name", ["mask.npy", "mask.tif"])
def test_mask_of_floats(tmp_path, name):
    for top in (1, 255):
        write(tmp_path / name, np.float32([[0, 3 / 255, 0.49, 0.51, 1]]) * np.float32(top), overwrite=True)
        assert read_mask(tmp_path / name).tolist() == [[False, False, False, True, True]]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([[0, np.nan, 1, np.nan]], "must say of each pixel whether it is missing. Got 2 NaN instead. Save 1 where"),
        ([[0, 1000, 3]], "must hold numbers from 0 to 1, or from 0 to 255. Got 0 to 1000 instead. Save 1 where"),
        ([[0, -1, 1]], "Got -1 to 1 instead."),
    ],
)
def test_mask_of_floats_that_are_no_levels(tmp_path, values, says):
    write(tmp_path / "mask.npy", np.float32(values))
    with pytest.raises(ValueError, match=rf"The mask .*mask\.npy .*{says}"):
        read_mask(tmp_path / "mask.npy")


def test_mask_on_a_transparent_layer(tmp_path):
    white = np.full((1, 2, 3), 255, np.uint8)
    write(tmp_path / "mask.png", white, Extras(alpha=np.array([[0, 255]], np.uint8)))
    assert read_mask(tmp_path / "mask.png").tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("axes", "shape"), [("ZCYX", (3, 2, 8, 9)), ("TCYX", (2, 3, 8, 9)), ("CYX", (3, 8, 9)), ("YXS", (8, 9, 4))]
)
def test_a_mask_with_channels_says_what_is_missing_in_each(tmp_path, axes, shape):
    missing = np.random.default_rng(0).random(shape) < 0.3
    how = {"planarconfig": "contig"} if axes == "YXS" else {"imagej": True, "metadata": {"axes": axes}}
    tifffile.imwrite(tmp_path / "mask.tif", np.where(missing, 255, 0).astype(np.uint8), photometric="minisblack", **how)
    assert (read_mask(tmp_path / "mask.tif") == missing).all()


def test_mask_that_marks_nothing(tmp_path):
    write(tmp_path / "mask.png", np.ones((3, 3), np.uint8))
    with pytest.raises(ValueError, match="brightest grey is 1 of 255, below the threshold 128"):
        read_mask(tmp_path / "mask.png")
    for threshold in (0, 256):
        with pytest.raises(ValueError, match="'threshold' parameter of read_mask"):
            read_mask(tmp_path / "mask.png", threshold=threshold)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
@pytest.mark.parametrize("codec", [JPEG, NPY], ids=lambda codec: codec.name)
def test_a_full_disk_is_said(codec, rng):
    with pytest.raises(OSError, match="No space left on device"):
        codec.write(Path("/dev/full"), rng.integers(0, 255, (200, 200)).astype(np.uint8), Extras())


def test_what_is_replaced_keeps_its_mode_and_its_links(tmp_path):
    private, link = tmp_path / "private.png", tmp_path / "link.png"
    write(private, np.zeros((4, 4), np.uint8))
    private.chmod(0o600)
    link.symlink_to(private.name)
    write(link, np.full((4, 4), 7, np.uint8), overwrite=True)
    assert link.is_symlink()
    assert read(private)[0].tolist() == [[7] * 4] * 4
    assert private.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.png", "private.png"]


class TestArraysThatAreNoPictures:
    def test_four_axes_without_names_come_back_in_a_tiff(self, tmp_path):
        """The first two came back as one."""
        image = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)
        write(tmp_path / "a.tif", image)
        np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], image)

    def test_a_signal_is_no_tiff(self, tmp_path):
        with pytest.raises(
            ValueError, match=r"TIFF holds arrays of at least 2 axes. Got shape \(5,\) .*FITS, NPY or NPZ"
        ):
            check_target(tmp_path / "a.tif", np.float32, shape=(5,))
        with pytest.raises(ValueError, match="TIFF holds arrays of at least 2 axes"):
            write(tmp_path / "a.tif", np.zeros(5))

    @pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="floats of 64 bits are the longest here")
    def test_extended_precision_is_no_tiff(self, tmp_path):
        """A file was written that nothing could read."""
        with pytest.raises(ValueError, match=r"a\.tif cannot be written: TIFF does not hold \w+ data"):
            write(tmp_path / "a.tif", np.ones((4, 5), np.longdouble))

    @pytest.mark.parametrize("name", ["a.png", "a.tif", "a.fits", "a.npy"])
    def test_any_byte_order(self, name, tmp_path):
        """PNG was said not to hold uint16."""
        image = (np.arange(20).reshape(4, 5) * 1000).astype(">u2")
        write(tmp_path / name, image)
        np.testing.assert_array_equal(read(tmp_path / name)[0], image)
