"""FITS: one image is restored, and every other byte of the file stays."""

import dataclasses
import gzip
import sys

import numpy as np
import pytest
from PIL import Image

from skinpaint import lengths
from skinpaint.io import Extras, MetadataWarning, check_target, read, read_mask, write

fits = pytest.importorskip("astropy.io.fits")
units = pytest.importorskip("astropy.units")
nddata = pytest.importorskip("astropy.nddata")

Y, X = np.mgrid[:20, :30]
PLANE = 20 + X + 2 * Y
MASK = np.random.default_rng(0).random(PLANE.shape) < 0.1


@pytest.fixture
def mask(tmp_path):
    Image.fromarray(MASK).save(tmp_path / "m.png")
    return "m.png"


def changed(one, other):
    """Where two files differ, byte for byte."""
    one, other = (np.frombuffer(path.read_bytes(), np.uint8) for path in (one, other))
    assert one.size == other.size
    return np.flatnonzero(one != other)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_only_missing_pixels_change(restore, tmp_path, mask, dtype):
    before = PLANE.astype(dtype)
    fits.PrimaryHDU(before).writeto(tmp_path / "a.fits")
    assert restore("a.fits", "--mask", mask).err == ""
    after = fits.getdata(tmp_path / "a-restored.fits")
    assert after.dtype.str[1:] == dtype
    np.testing.assert_array_equal(after[~MASK], before[~MASK])
    np.testing.assert_allclose(after[MASK].astype(float), before[MASK].astype(float), atol=5)
    size = np.dtype(dtype).itemsize
    places = (changed(tmp_path / "a.fits", tmp_path / "a-restored.fits") - 2880) // size
    assert set(places) <= set(np.flatnonzero(MASK))
    assert str(fits.getheader(tmp_path / "a-restored.fits")) == str(fits.getheader(tmp_path / "a.fits"))


def test_all_hdus_and_headers_are_kept(restore, tmp_path):
    science = fits.ImageHDU(np.where(MASK, np.nan, PLANE).astype("f4"), name="SCI")
    science.header["EXPTIME"] = 30.0
    flags = fits.ImageHDU((MASK * 16).astype("i2"), name="DQ")
    table = fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.arange(5.0))], name="STARS")
    primary = fits.PrimaryHDU()
    primary.header["TELESCOP"] = "a telescope"
    fits.HDUList([primary, science, flags, table]).writeto(tmp_path / "a.fits", checksum=True)
    said = restore("a.fits").out
    assert "Restored HDU 1 (SCI), the first of 2 images." in said
    with fits.open(tmp_path / "a.fits") as one, fits.open(tmp_path / "a-restored.fits", checksum=True) as other:
        assert [hdu.name for hdu in other] == ["PRIMARY", "SCI", "DQ", "STARS"]
        assert np.isfinite(other["SCI"].data).all()
        for k in (0, 2, 3):
            assert str(one[k].header) == str(other[k].header)
        sums = {"CHECKSUM", "DATASUM"}
        assert {k: v for k, v in one[1].header.items() if k not in sums} == {
            k: v for k, v in other[1].header.items() if k not in sums
        }
        assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in other)  # astropy warns otherwise
        start, end = (one[1].fileinfo()[key] for key in ("hdrLoc", "datLoc"))
        end += one[1].fileinfo()["datSpan"]
    places = changed(tmp_path / "a.fits", tmp_path / "a-restored.fits")
    assert ((places >= start) & (places < end)).all()


SKY = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({**SKY, "CDELT1": -0.1, "CDELT2": 0.3}, "Spacing Y 3, X 1, as the file says."),
        ({**SKY, "CDELT1": -0.1, "CDELT2": 0.3, "CROTA2": 30.0}, "Spacing Y 3, X 1, as the file says."),
        ({**SKY, "CD1_1": -0.06, "CD2_1": 0.08, "CD1_2": 0.24, "CD2_2": 0.18}, "Spacing Y 3, X 1, as the file says."),
        (
            {**SKY, "CDELT1": 0.5, "CDELT2": 0.5, "PC1_1": 0.0, "PC1_2": 3.0, "PC2_1": 1.0, "PC2_2": 0.0},
            "Spacing Y 3, X 1, as the file says.",
        ),
        ({"CUNIT1": "nm", "CUNIT2": "um", "CDELT1": 100.0, "CDELT2": 0.3}, "Spacing Y 3, X 1, as the file says."),
        ({"CUNIT1": "Angstrom", "CUNIT2": "arcsec", "CDELT1": 2.0, "CDELT2": 0.3}, ""),
        ({"CTYPE1": "WAVE", "CTYPE2": "LINEAR", "CDELT1": 2.0, "CDELT2": 0.3}, ""),
        ({**SKY, "CDELT1": -0.1, "CDELT2": 0.1}, ""),
        ({**SKY, "CDELT1": "wide", "CDELT2": 0.1}, ""),
        ({**SKY, "CDELT1": 0.0, "CDELT2": 0.1}, ""),
    ],
)
def test_pixels_on_the_sky_that_are_not_square(restore, tmp_path, mask, header, said):
    """Their sizes were ignored. Those of a spectrum along a slit cannot be compared."""
    cube = np.stack([PLANE] * 2).astype("f4")
    hdu = fits.PrimaryHDU(cube)
    hdu.header.update({**header, "CTYPE3": "FREQ", "CDELT3": 1e6, "CUNIT3": "Hz"})
    hdu.writeto(tmp_path / "a.fits")
    printed = restore("a.fits", "--mask", mask).out
    assert said in printed if said else "Spacing" not in printed


def test_a_sum_of_the_data_alone_is_kept_right(restore, tmp_path, mask):
    hdu = fits.PrimaryHDU(PLANE.astype("i2"))
    hdu.add_datasum()
    hdu.writeto(tmp_path / "a.fits")
    restore("a.fits", "--mask", mask)
    with fits.open(tmp_path / "a-restored.fits", checksum=True) as hdus:
        assert "CHECKSUM" not in hdus[0].header
        assert hdus[0].verify_datasum() == 1


def test_flags_inside_the_file(restore, tmp_path):
    science = fits.ImageHDU(PLANE.astype("f4"), name="SCI")
    flags = fits.ImageHDU((MASK * 2**12).astype("u2"), name="DQ")
    fits.HDUList([fits.PrimaryHDU(), science, flags]).writeto(tmp_path / "a.fits")
    assert "HDU DQ may mark bad pixels; --mask '[DQ]' takes those that are not 0." in restore("a.fits", status=2).err
    for k, given in enumerate(("[DQ]", "[2]", "a.fits[DQ]")):
        restore("a.fits", "--mask", given, "-o", f"{k}.fits", "--mask-out", f"{k}.png")
        np.testing.assert_array_equal(read(tmp_path / f"{k}.png")[0] > 0, MASK)
    said = restore("a.fits", "--mask", "[BAD]", status=2).err
    assert "The mask a.fits[BAD] cannot be read: it has no HDU BAD, but 0 (PRIMARY), 1 (SCI), 2 (DQ)." in said
    assert "its HDU 0 is no image" in restore("a.fits", "--mask", "[0]", status=2).err
    np.testing.assert_array_equal(read_mask(tmp_path / "a.fits[DQ]"), MASK)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.fits[DQ]", invert=True), ~MASK)


def test_a_file_that_holds_the_mask_is_not_replaced_but_by_its_own_answer(restore, tmp_path):
    science = fits.ImageHDU(PLANE.astype("f4"), name="SCI")
    flags = fits.ImageHDU((MASK * 4).astype("u2"), name="DQ")
    for name in ("a.fits", "b.fits"):
        fits.HDUList([fits.PrimaryHDU(), science, flags]).writeto(tmp_path / name)
    before = (tmp_path / "b.fits").read_bytes()
    for option in ("-o", "--std"):
        said = restore("a.fits", "--mask", "b.fits[DQ]", option, "b.fits", "--overwrite", status=2).err
        assert f"{option} must name a file of its own. Got b.fits, which is an input." in said
    (tmp_path / "in").mkdir()
    fits.PrimaryHDU(PLANE.astype("f4")).writeto(tmp_path / "in/b.fits")
    said = restore("in", "--mask", "b.fits[DQ]", "-o", ".", "--overwrite", status=1).err
    assert "b.fits is an input, which would be replaced." in said
    assert (tmp_path / "b.fits").read_bytes() == before
    restore("b.fits", "--mask", "b.fits[DQ]", "-o", "b.fits", "--overwrite")
    assert fits.getdata(tmp_path / "b.fits", "DQ").any()


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4"])
@pytest.mark.parametrize("name", ["dq.fits", "dq.fits[0]"])
def test_flags_in_a_file_of_their_own(tmp_path, dtype, name):
    flags = (MASK * np.where(X % 2, 4, 128)).astype(dtype)
    fits.PrimaryHDU(flags).writeto(tmp_path / "dq.fits")
    np.testing.assert_array_equal(read_mask(tmp_path / name), MASK)


@pytest.mark.parametrize("name", ["dq.fits", "dq.fits[0]"])
def test_flags_that_are_nan_are_refused(tmp_path, name):
    fits.PrimaryHDU(np.where(MASK, np.nan, 0)).writeto(tmp_path / "dq.fits")
    with pytest.raises(ValueError, match=rf"must say of each pixel whether it is missing. Got {MASK.sum()} NaN inst"):
        read_mask(tmp_path / name)


def test_flags_that_mark_nothing(tmp_path):
    write(tmp_path / "none.tif", np.zeros((3, 3), np.int16))
    with pytest.raises(ValueError, match=r"none\.tif marks no pixel as missing: it is 0 everywhere"):
        read_mask(tmp_path / "none.tif")


def test_the_mask_of_ccddata_is_taken(restore, tmp_path):
    nddata.CCDData(PLANE.astype("f4"), mask=MASK, unit="adu").write(tmp_path / "a.fits")
    said = restore("a.fits", "--mask-out", "filled.png").out
    assert "Took the file's own mask for missing." in said
    assert "no damage was found" in restore("a.fits", "--missing", "none", "-o", "b.fits", status=2).err
    assert not (tmp_path / "b.fits").exists()
    np.testing.assert_array_equal(read(tmp_path / "filled.png")[0] > 0, MASK)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4"])
def test_the_mask_of_ccddata_marks_what_is_still_missing(restore, tmp_path, dtype):
    nddata.CCDData(PLANE.astype("f4"), mask=MASK, unit="adu").write(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update") as hdus:
        hdus["MASK"].data = (MASK * 64).astype(dtype)
        hdus["MASK"].add_checksum()
    half = np.where(X < 15, MASK, False)
    Image.fromarray(half).save(tmp_path / "half.png")
    for options, left in (
        ((), np.zeros_like(MASK)),
        (("--missing", "none", "--mask", "half.png"), MASK & ~half),
    ):
        assert restore("a.fits", *options, "--overwrite").err == ""
        with fits.open(tmp_path / "a-restored.fits", checksum=True) as hdus:
            np.testing.assert_array_equal(hdus["MASK"].data, left * np.array(64, dtype))
        np.testing.assert_array_equal(nddata.CCDData.read(tmp_path / "a-restored.fits").mask, left)


def test_a_mask_without_which_extras_are_written_marks_nothing(tmp_path):
    nddata.CCDData(PLANE.astype("f4"), mask=MASK, unit="adu").write(tmp_path / "a.fits")
    image, extras = read(tmp_path / "a.fits")
    write(tmp_path / "b.fits", image, dataclasses.replace(extras, missing=None))
    assert not nddata.CCDData.read(tmp_path / "b.fits").mask.any()
    write(tmp_path / "c.fits", image, extras)
    assert changed(tmp_path / "a.fits", tmp_path / "c.fits").size == 0


def test_a_compressed_mask_that_still_marks_what_was_filled_is_named(restore, tmp_path):
    mask = fits.CompImageHDU(MASK.astype("u1"), name="MASK")
    fits.HDUList([fits.PrimaryHDU(PLANE.astype("f4")), mask]).writeto(tmp_path / "a.fits")
    assert "a true mask, as HDU MASK is compressed, and still marks what was filled." in restore("a.fits").err


def test_a_mask_that_is_lost_is_named(tmp_path):
    nddata.CCDData(PLANE.astype("f4"), mask=MASK, unit="adu").write(tmp_path / "a.fits")
    with pytest.warns(MetadataWarning, match=r"a\.npy does not hold .*: FITS headers .* and a mask of its own\."):
        write(tmp_path / "a.npy", *read(tmp_path / "a.fits"))


def test_a_mask_beside_a_cube_is_one_for_all_planes(restore, tmp_path):
    cube = np.where(MASK, -1e4, np.stack([PLANE, PLANE + 500])).astype("f4")
    fits.HDUList([fits.PrimaryHDU(cube), fits.ImageHDU(MASK.astype("u1"), name="MASK")]).writeto(tmp_path / "a.fits")
    assert "Took the file's own mask for missing." in restore("a.fits").out
    np.testing.assert_allclose(fits.getdata(tmp_path / "a-restored.fits"), [PLANE, PLANE + 500], atol=5)
    assert not fits.getdata(tmp_path / "a-restored.fits", "MASK").any()


def test_a_mask_of_another_shape_is_said_to_be_none(restore, tmp_path, mask):
    other = fits.ImageHDU(MASK[1:].astype("u1"), name="MASK")
    fits.HDUList([fits.PrimaryHDU(PLANE.astype("f4")), other]).writeto(tmp_path / "a.fits")
    said = restore("a.fits", "--mask", mask).out
    assert f"HDU MASK is no mask of it: its shape is {MASK[1:].shape}." in said


def test_values_of_another_dtype_do_not_go_under_the_header(tmp_path):
    fits.PrimaryHDU(PLANE.astype("i2")).writeto(tmp_path / "a.fits")
    image, extras = read(tmp_path / "a.fits")
    with pytest.warns(MetadataWarning, match=r"b\.fits does not hold .*: FITS headers and other HDUs\."):
        write(tmp_path / "b.fits", image / 2, extras)
    np.testing.assert_array_equal(fits.getdata(tmp_path / "b.fits"), PLANE / 2)


@pytest.mark.parametrize(("dtype", "blank"), [("i2", 0), ("u2", -(2**15)), ("i1", 2**7)])
def test_blank_is_missing(restore, tmp_path, dtype, blank):
    hdu = fits.PrimaryHDU(np.where(MASK, 0, PLANE).astype(dtype))
    hdu.header["BLANK"] = blank
    hdu.writeto(tmp_path / "a.fits")
    assert "Took the file's nodata value 0 for missing." in restore("a.fits", "--mask-out", "filled.png").out
    np.testing.assert_array_equal(read(tmp_path / "filled.png")[0] > 0, MASK)


def test_signed_bytes_are_what_they_stand_for(restore, tmp_path):
    fits.PrimaryHDU(np.where(MASK, -128, PLANE).astype("i1")).writeto(tmp_path / "a.fits")
    said = restore("a.fits", "--missing", "-128").out
    assert f"filled {MASK.sum()} of" in said
    assert "stand for" not in said
    np.testing.assert_allclose(fits.getdata(tmp_path / "a-restored.fits"), PLANE, atol=5)
    restore("a.fits", "--missing", "-128", "-o", "a.tif")
    np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], fits.getdata(tmp_path / "a-restored.fits"))
    write(tmp_path / "b.fits", PLANE.astype("i1"))
    np.testing.assert_array_equal(read(tmp_path / "b.fits")[0], PLANE.astype("i1"))


def test_scaled_values_stay_as_stored_and_that_is_said(restore, tmp_path, mask):
    hdu = fits.PrimaryHDU(PLANE.astype("f4"))
    hdu.scale("int16", bzero=50, bscale=0.01)
    hdu.writeto(tmp_path / "a.fits")
    assert "Values are as stored: 50 + 0.01 times them is what they stand for." in restore("a.fits", "--mask", mask).out
    before, after = (fits.getdata(tmp_path / f"{name}.fits") for name in ("a", "a-restored"))
    np.testing.assert_array_equal(after[~MASK], before[~MASK])
    np.testing.assert_allclose(after[MASK], PLANE[MASK], atol=5)


@pytest.mark.parametrize("scale", [0.1, -0.1])
def test_the_std_and_the_interval_are_in_the_units_of_the_restored_file(restore, tmp_path, mask, scale):
    hdu = fits.PrimaryHDU(PLANE.astype("i2") * 100)
    plain = fits.HDUList([hdu.copy()])
    hdu.header.update(BSCALE=scale, BZERO=5.0, BUNIT="adu")
    hdu.writeto(tmp_path / "a.fits")
    plain.writeto(tmp_path / "plain.fits")
    for name in ("a", "plain"):
        restore(f"{name}.fits", "--mask", mask, "--std", f"{name}-std.fits", "--interval", f"{name}-ends.fits")
    std, low, high = fits.getdata(tmp_path / "a-std.fits"), *fits.getdata(tmp_path / "a-ends.fits")
    np.testing.assert_allclose(std, 0.1 * fits.getdata(tmp_path / "plain-std.fits"), rtol=1e-12)
    ends = np.sort(scale * fits.getdata(tmp_path / "plain-ends.fits") + 5, axis=0)
    np.testing.assert_allclose([low, high], ends, rtol=1e-12)
    filled = fits.getdata(tmp_path / "a-restored.fits")
    assert ((low <= filled) & (filled <= high))[MASK].mean() > 0.9
    assert {fits.getheader(tmp_path / f"a-{name}.fits")["BUNIT"] for name in ("restored", "std", "ends")} == {"adu"}


def test_a_scale_that_unsigned_integers_cannot_have_is_named(tmp_path):
    with pytest.warns(MetadataWarning, match=r"a\.fits does not hold what its source does: the scale of its values\."):
        write(tmp_path / "a.fits", PLANE.astype("u2"), Extras(axes="YX", scale=0.1, unit="K"))
    np.testing.assert_array_equal(fits.getdata(tmp_path / "a.fits"), PLANE)


def test_a_scale_of_each_band_that_pages_cannot_have_is_named(tmp_path):
    scale = np.array([0.1, 0.5, 2.0]).reshape(3, 1, 1)
    with pytest.warns(MetadataWarning, match=r"a\.tif does not hold what its source does: the scale of its values\."):
        write(tmp_path / "a.tif", np.stack([PLANE] * 3).astype("f4"), Extras(axes="ZYX", scale=scale))


def test_planes_of_a_cube_are_restored_one_by_one(restore, tmp_path, mask):
    cube = np.stack([PLANE, PLANE + 500]).astype("f4")
    fits.PrimaryHDU(cube).writeto(tmp_path / "a.fits")
    said = restore("a.fits", "--mask", mask).out
    assert "2 frames along pages (Q), each on its own; --axes ZYX restores a volume." in said
    np.testing.assert_allclose(fits.getdata(tmp_path / "a-restored.fits"), cube, atol=5)
    restore("a.fits", "--mask", mask, "--axes", "ZYX", "-o", "volume.fits")
    assert np.abs(fits.getdata(tmp_path / "volume.fits") - cube).max() > 50


def test_compressed_images_are_refused(tmp_path):
    weights = fits.ImageHDU(PLANE.astype("f4"), name="WHT")
    packed = fits.CompImageHDU(PLANE.astype("i2"), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), packed, weights]).writeto(tmp_path / "a.fits")
    with pytest.raises(ValueError, match=r"a\.fits cannot be .*: its image is compressed. Unpack .* with funpack\."):
        read(tmp_path / "a.fits")
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(b"SIMPLE"))
    with pytest.raises(
        ValueError, match=r"b\.fits\.gz cannot be .*: it is compressed by gzip. Unpack it first: gzip -d"
    ):
        read(tmp_path / "b.fits.gz")


def test_a_table_is_no_image(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("flux", "E", array=np.arange(5.0))])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "a.fits")
    with pytest.raises(ValueError, match=r"a\.fits cannot be read as a picture: it holds no image\."):
        read(tmp_path / "a.fits")


@pytest.mark.parametrize("axes", ["YXS", ""])
def test_colours_become_planes(tmp_path, axes):
    colours = np.stack([PLANE, PLANE + 50, PLANE + 90], axis=-1).astype("f4")
    write(tmp_path / "a.fits", colours, Extras(axes=axes))
    np.testing.assert_array_equal(fits.getdata(tmp_path / "a.fits"), np.moveaxis(colours, -1, 0))
    assert read(tmp_path / "a.fits")[1].axes == "QYX"


def test_the_ends_of_an_interval_come_before_the_colours(restore, tmp_path, mask):
    colours = np.stack([PLANE + 50, PLANE], axis=-1).astype("f4")
    write(tmp_path / "a.tif", colours, Extras(axes="YXS"))
    restore("a.tif", "--mask", mask, "--interval", "ends.fits", "--method", "laplace")
    low, high = fits.getdata(tmp_path / "ends.fits")
    filled = np.moveaxis(read(tmp_path / "a-restored.tif")[0], -1, 0)
    assert low.shape == filled.shape
    assert ((low <= filled) & (filled <= high))[:, MASK].all()


def test_a_volume_stays_as_it_is(tmp_path):
    volume = np.stack([PLANE, PLANE + 50, PLANE + 90], axis=-1).astype("f4")
    write(tmp_path / "a.fits", volume, Extras(axes="ZYX"))
    np.testing.assert_array_equal(fits.getdata(tmp_path / "a.fits"), volume)


def test_headers_are_named_where_they_are_lost(restore, tmp_path, mask):
    fits.PrimaryHDU(PLANE.astype("u2")).writeto(tmp_path / "a.fits")
    said = restore("a.fits", "--mask", mask, "-o", "a.png").err
    assert "a.png does not hold what its source does: FITS headers and other HDUs." in said


def test_without_astropy_it_is_named(tmp_path, monkeypatch):
    fits.PrimaryHDU(PLANE.astype("u2")).writeto(tmp_path / "a.fits")
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    with pytest.raises(ValueError, match=r"FITS needs astropy. Install it: pip install 'skinpaint\[astro\]'\."):
        read(tmp_path / "a.fits")
    with pytest.raises(ValueError, match=r"s.fits cannot be written: FITS needs astropy. Install it"):
        check_target(tmp_path / "s.fits", np.float64, shape=(4, 6))


@pytest.mark.parametrize("table", [{**lengths.METRES, **lengths.SPELLED}, lengths.DEGREES])
def test_units_of_lengths_are_as_long_as_those_of_astropy(table):
    with units.imperial.enable():
        known = {name: units.Unit(name) for name in table if name not in ("in", "inche", "feet")}
    first = next(iter(known))
    for name, unit in known.items():
        one, other = lengths.in_one_unit([name, first])
        assert one / other == pytest.approx(unit.to(known[first]), rel=1e-12)
