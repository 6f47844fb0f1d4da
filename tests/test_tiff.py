"""TIFF: what it holds comes back whole, read by the libraries of those who wrote it."""

import re
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from skinpaint.cli import main
from skinpaint.io import Extras, MetadataWarning, check_target, read, read_mask, write
from skinpaint.io.tiff_facts import without_statistics
from skinpaint.io.tiff_layout import without_thumbnails

rasterio = pytest.importorskip("rasterio")
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")  # of rasterio's own code
NODATA = {"int16": -9999, "uint16": 0, "float32": -9999.0, "float64": -1.7e308, "uint8": 255, "int32": -(2**31)}
PIXEL_SIZE = (33550, 12, 3, (1.0, 1.0, 0.0), True)  # on the ground: values of a raster are kept
RESOURCE = b"8BIM\x04\x04\0\0\0\0\0\x04note"  # of Photoshop
MASK = np.random.default_rng(1).random((30, 40)) < 0.1


def slopes(shape, dtype):
    """Smooth values away from the limits, with an axis of bands in front or without."""
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    plane = 20 + x + 2 * y
    return np.broadcast_to(plane + np.arange(np.prod(shape[:-2])).reshape(*shape[:-2], 1, 1), shape).astype(dtype)


def scene(path, array, missing=None, **profile):
    """A GeoTIFF as GDAL writes it."""
    if missing is not None:
        value = NODATA[str(array.dtype)]
        array = np.where(missing, np.array(value, array.dtype), array)
        profile = {"nodata": value, **profile}
    stated = {"crs": "EPSG:32633", "transform": rasterio.transform.from_origin(5e5, 5e6, 10, 10), **profile}
    count, height, width = array.shape
    size = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": array.dtype}
    with rasterio.open(path, "w", **size, **stated) as file:
        file.write(array)
        file.update_tags(season="dry")
        file.update_tags(1, wavelength="450")
        file.descriptions = [f"band {k}" for k in range(count)]
    return array


def facts(path):
    with rasterio.open(path) as file:
        said = {name: getattr(file, name) for name in ("crs", "transform", "count", "dtypes", "nodata", "descriptions")}
        tags = [{k: v for k, v in file.tags(b).items() if not k.startswith("TIFFTAG_")} for b in (0, 1)]
        return {**said, "tags": tags, "colours": file.colorinterp, "interleave": file.profile["interleave"]}


def bands_of(path):
    with rasterio.open(path) as file:
        return file.read()


class TestScene:
    @pytest.mark.parametrize("interleave", ["pixel", "band"])
    @pytest.mark.parametrize("dtype", ["int16", "uint16", "float32", "float64", "int32"])
    @pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
    def test_every_band_is_restored_and_its_place_is_kept(self, restore, tmp_path, count, dtype, interleave):
        missing = np.stack([np.roll(MASK, 3 * k) for k in range(count)])
        before = scene(tmp_path / "a.tif", slopes((count, 30, 40), dtype), missing, interleave=interleave)
        said = restore("a.tif")
        value = f"{NODATA[dtype]:.17g}"
        assert f"Took the file's nodata value {value} for missing." in said.out
        assert said.err == ""
        assert facts(tmp_path / "a-restored.tif") == facts(tmp_path / "a.tif")
        after = bands_of(tmp_path / "a-restored.tif")
        np.testing.assert_array_equal(after[~missing], before[~missing])
        np.testing.assert_allclose(after[missing], slopes((count, 30, 40), dtype)[missing], atol=8)

    @pytest.mark.parametrize(
        "profile",
        [
            {"compress": "lzw", "predictor": 2},
            {"compress": "deflate", "predictor": 2, "tiled": True, "blockxsize": 16, "blockysize": 32},
            {"compress": "zstd"},
            {"compress": "packbits"},
            {"BIGTIFF": "YES"},
            {"ENDIANNESS": "BIG"},
            {"photometric": "RGB", "alpha": "unspecified"},
            {"nbits": 12},
            {"transform": rasterio.Affine(9, 1, 5e5, 1, -9, 5e6)},
            {"crs": "EPSG:4326", "transform": rasterio.Affine(0.01, 0, 5, 0, -0.01, 50)},
        ],
        ids=str,
    )
    def test_in_every_layout(self, restore, tmp_path, profile):
        before = scene(tmp_path / "a.tif", slopes((4, 30, 40), "uint16"), np.stack([MASK] * 4), **profile)
        restore("a.tif")
        assert facts(tmp_path / "a-restored.tif") == facts(tmp_path / "a.tif")
        after = bands_of(tmp_path / "a-restored.tif")
        np.testing.assert_array_equal(after[:, ~MASK], before[:, ~MASK])
        assert (after > 0).all()
        with tifffile.TiffFile(tmp_path / "a.tif") as one, tifffile.TiffFile(tmp_path / "a-restored.tif") as other:
            for name in ("byteorder", "is_bigtiff"):
                assert getattr(one, name) == getattr(other, name)
            for name in ("tile", "planarconfig", "photometric", "extrasamples"):
                assert getattr(one.pages[0], name) == getattr(other.pages[0], name)

    @pytest.mark.parametrize("matrix", [(10, 0, 5e5, 0, -20, 5e6), (8, 12, 5e5, 6, -16, 5e6)])
    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_the_size_of_pixels_that_are_turned(self, restore, tmp_path, matrix, workers):
        """A matrix states it as well as a scale does; it was ignored."""
        scene(tmp_path / "a.tif", slopes((1, 30, 40), "int16"), MASK[None], transform=rasterio.Affine(*matrix))
        assert "Spacing Y 2, X 1, as the file says." in restore("a.tif", "-o", "b.tif", *workers).out

    def test_rioxarray_reads_what_it_wrote(self, restore, tmp_path):
        rioxarray = pytest.importorskip("rioxarray")
        scene(tmp_path / "a.tif", slopes((3, 30, 40), "int16"), np.stack([MASK] * 3))
        restore("a.tif")
        before, after = (rioxarray.open_rasterio(tmp_path / f"{name}.tif") for name in ("a", "a-restored"))
        assert after.rio.crs == before.rio.crs
        assert after.rio.nodata == before.rio.nodata
        assert not (after == after.rio.nodata).any()
        for name in ("band", "y", "x"):
            np.testing.assert_array_equal(after[name], before[name])

    def test_alpha_is_alpha_only_where_the_file_says_so(self, restore, tmp_path):
        colours = slopes((3, 30, 40), "uint8")
        alpha = np.where(MASK, 0, 255).astype(np.uint8)
        scene(tmp_path / "a.tif", np.concatenate([colours, alpha[None]]), photometric="RGB", alpha="yes")
        _, extras = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(extras.alpha, alpha)
        restore("a.tif", "--missing", "transparent")
        assert (bands_of(tmp_path / "a-restored.tif")[3] == 255).all()
        assert facts(tmp_path / "a-restored.tif") == facts(tmp_path / "a.tif")

    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_what_is_left_is_missing_as_before(self, restore, tmp_path, workers):
        missing = np.zeros((30, 40), bool)
        missing[5:20, 5:30] = True
        scene(tmp_path / "a.tif", slopes((1, 30, 40), "float32"), missing)
        restore("a.tif", "--max-distance", "2", *workers)
        with rasterio.open(tmp_path / "a-restored.tif") as after:
            left = after.read_masks(1) == 0
            np.testing.assert_array_equal(left, np.pad(np.ones((11, 21), bool), ((7, 12), (7, 12))))
            assert (after.read(1)[left] == -9999).all()

    @pytest.mark.parametrize("arguments", [("--max-distance", "2"), ("--missing", "none", "--mask", "m.png")])
    def test_a_mask_of_its_own_that_still_hides_something_is_named(self, restore, tmp_path, arguments):
        hidden = np.zeros((30, 40), bool)
        hidden[5:20, 5:30] = True
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            scene(tmp_path / "a.tif", slopes((3, 30, 40), "uint8"), photometric="RGB")
            with rasterio.open(tmp_path / "a.tif", "r+") as file:
                file.write_mask(~hidden)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        said = restore("a.tif", *arguments).err
        assert "a-restored.tif does not hold what its source does: a mask of its own" in said
        assert "a mask of its own" not in restore("a.tif", "--overwrite").err

    @pytest.mark.parametrize("opaque", [1, 255])
    def test_an_alpha_of_floats_on_any_scale(self, restore, tmp_path, opaque):
        alpha = np.where(MASK, 0, opaque)
        array = np.dstack([np.moveaxis(slopes((3, 30, 40), "float32"), 0, -1), alpha]).astype(np.float32)
        options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "metadata": None}
        tifffile.imwrite(tmp_path / "a.tif", array, **options)
        restore("a.tif", "--missing", "transparent")
        _, extras = read(tmp_path / "a-restored.tif")
        assert (extras.alpha == opaque).all()
        check_target(tmp_path / "a.npy", np.float32, extras)  # NPY takes an alpha that hides nothing

    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_an_alpha_of_twelve_bits_is_opaque_in_sixteen(self, restore, tmp_path, workers):
        before = slopes((2, 30, 40), "uint16")
        before[1] = np.where(MASK, 0, 4095)
        scene(tmp_path / "a.tif", before, nbits=12, alpha="yes")
        restore("a.tif", "--missing", "transparent", "-o", "b.tif", *workers)
        values, alpha = bands_of(tmp_path / "b.tif")
        np.testing.assert_array_equal(values[~MASK], before[0][~MASK])
        assert (alpha == 65535).all()

    @pytest.mark.parametrize("endianness", ["little", "big"])
    def test_twenty_four_bits_are_refused(self, tmp_path, endianness):
        """They came as 256 times their values, or with older versions of imagecodecs as 2**24 times."""
        scene(tmp_path / "a.tif", slopes((1, 30, 40), "uint32"), nbits=24, endianness=endianness)
        with pytest.raises(ValueError, match=r"24 bits a sample.*gdal_translate -co NBITS=32"):
            read(tmp_path / "a.tif")

    def test_an_alpha_behind_more_bands_is_carried(self, restore, tmp_path):
        before = slopes((5, 30, 40), "uint16")
        before[4] = 65535
        before[4, 3:9, 4:9] = 0
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="rgb", planarconfig="separate", metadata=None,
                         extrasamples=["unspecified", "unassalpha"])  # fmt: skip
        Image.fromarray(MASK).save(tmp_path / "m.png")
        restore("a.tif", "--mask", "m.png")
        after = tifffile.imread(tmp_path / "a-restored.tif")
        np.testing.assert_array_equal(after[4], before[4])
        assert (after[:4, MASK] != before[:4, MASK]).any() or (after == before).all()
        np.testing.assert_array_equal(after[:, ~MASK], before[:, ~MASK])

    @pytest.mark.parametrize("planes", ["contig", "separate"])
    def test_an_alpha_before_other_bands_stays_there(self, restore, tmp_path, planes):
        before = slopes((4, 30, 40), "uint16")  # grey, alpha and two more, as GDAL's ALPHA=YES makes of four bands
        stored = np.moveaxis(before, 0, -1) if planes == "contig" else before
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planes, metadata=None,
                         extrasamples=["unassalpha", "unspecified", "unspecified"])  # fmt: skip
        Image.fromarray(MASK).save(tmp_path / "m.png")
        restore("a.tif", "--mask", "m.png")
        after = tifffile.imread(tmp_path / "a-restored.tif")
        assert after.shape == stored.shape
        after = np.moveaxis(after, -1, 0) if planes == "contig" else after
        np.testing.assert_array_equal(after[:, ~MASK], before[:, ~MASK])

    def test_a_mask_inside_the_file_is_taken_and_said(self, restore, tmp_path):
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
            scene(tmp_path / "a.tif", np.where(MASK, 0, slopes((2, 30, 40), "int16")).astype("int16"))
            with rasterio.open(tmp_path / "a.tif", "r+") as file:
                file.write_mask(~MASK)
        said = restore("a.tif", "--mask-out", "filled.png")
        assert "Took the file's own mask for missing." in said.out
        np.testing.assert_array_equal(read(tmp_path / "filled.png")[0] > 0, MASK)

    def test_a_mask_beside_the_file_is_taken(self, restore, tmp_path):
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"):
            scene(tmp_path / "a.tif", slopes((2, 30, 40), "int16"))
            with rasterio.open(tmp_path / "a.tif", "r+") as file:
                file.write_mask(~MASK)
        said = restore("a.tif", "--mask-out", "filled.png").out
        assert "Its mask is in a.tif.msk." in said
        assert "Took the file's own mask for missing." in said
        np.testing.assert_array_equal(read(tmp_path / "filled.png")[0] > 0, MASK)
        tifffile.imwrite(tmp_path / "a.tif.msk", np.zeros((30, 41), np.uint8))
        left = restore("a.tif", "--mask", "filled.png", "-o", "b.tif").out
        assert "The file a.tif.msk marks valid pixels; --mask a.tif.msk --invert-mask takes it." in left

    def test_compare_says_what_it_took_and_what_it_left(self, tmp_path, monkeypatch, capsys):
        """A nodata value was taken, and a mask beside the file was not, without a word."""
        monkeypatch.chdir(tmp_path)
        scene(tmp_path / "a.tif", slopes((1, 30, 40), "int16"), MASK[None])
        (tmp_path / "a.tif.msk").touch()
        assert main(["compare", "a.tif", "--methods", "laplace", "--draws", "1"]) == 0
        said = capsys.readouterr().out
        assert "Took the file's nodata value -9999 for missing." in said
        assert "The file a.tif.msk marks valid pixels; --mask a.tif.msk --invert-mask takes it." in said

    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_files_of_the_picture_before_it_are_named_and_stay(self, restore, tmp_path, workers):
        scene(tmp_path / "a.tif", slopes((2, 30, 40), "int16"), np.stack([MASK] * 2))
        restore("a.tif", "-o", "b.tif", *workers)
        assert restore("a.tif", "-o", "b.tif", "--overwrite", *workers).err == ""
        beside = [tmp_path / name for name in ("b.tif.msk", "b.tif.ovr", "b.tif.aux.xml")]
        for file in beside:
            file.touch()
        err = restore("a.tif", "-o", "b.tif", "--overwrite", *workers).err
        assert "Beside b.tif are files of the picture that was there before, and programs read them with it" in err
        assert "b.tif.msk, b.tif.ovr and b.tif.aux.xml. Remove them, or make them anew." in err
        assert all(file.exists() for file in beside)

    def test_a_mask_beside_the_file_that_is_replaced_is_named(self, restore, tmp_path):
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"):
            scene(tmp_path / "a.tif", slopes((2, 30, 40), "int16"))
            with rasterio.open(tmp_path / "a.tif", "r+") as file:
                file.write_mask(~MASK)
        err = restore("a.tif", "-o", "a.tif", "--overwrite", "--mask", "a.tif.msk", "--invert-mask").err
        assert "Beside a.tif are files of the picture that was there before" in err

    def test_what_is_lost_is_named(self, restore, tmp_path):
        scene(tmp_path / "a.tif", slopes((1, 600, 600), "int16"), np.random.default_rng(0).random((1, 600, 600)) < 0.01)
        with rasterio.open(tmp_path / "a.tif", "r+") as file:
            file.build_overviews([2, 4])
        (tmp_path / "a.tfw").write_text("10\n0\n0\n-10\n0\n0\n")
        said = restore("a.tif").err
        assert "a-restored.tif does not hold what its source does: reduced copies (overviews or a preview) and " in said
        assert "what is in a.tfw beside it." in said
        said = restore("a.tif", "-o", "a.npy").err
        assert "the position on the ground" in said

    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_statistics_of_the_damaged_scene_are_not_those_of_the_restored_one(self, restore, tmp_path, workers):
        scene(tmp_path / "a.tif", slopes((2, 30, 40), "int16"), np.stack([MASK] * 2))
        before = facts(tmp_path / "a.tif")
        with rasterio.open(tmp_path / "a.tif", "r+") as file:
            file.update_tags(1, STATISTICS_MEAN="1234.5", STATISTICS_VALID_PERCENT="90.5")
            file.update_tags(2, STATISTICS_MEAN="7")
        assert restore("a.tif", *workers).err == ""
        assert facts(tmp_path / "a-restored.tif") == before

    def test_tags_of_megabytes_are_read_in_one_pass(self):
        """What is damaged or made up must not take a day."""
        assert without_thumbnails(RESOURCE * 200_000) == RESOURCE * 200_000
        for xml in (b" " * 2_000_000, b"<Item " * 300_000, b"<Item " + b'name="STATISTICS_ ' * 100_000):
            assert without_statistics(xml) == xml

    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_nothing_is_lost_where_a_scene_has_statistics_alone(self, restore, tmp_path, workers):
        said = '<GDALMetadata>\n  <Item name="STATISTICS_MEAN" sample="0">7</Item>\n</GDALMetadata>\n'
        tags = [(42112, 2, len(said) + 1, said, True), (42113, 2, 6, "-9999", True)]
        damaged = np.where(MASK, -9999, slopes((30, 40), "int16")).astype("int16")
        tifffile.imwrite(tmp_path / "a.tif", damaged, metadata=None, extratags=tags)
        assert restore("a.tif", *workers).err == ""
        assert b"STATISTICS" not in (tmp_path / "a-restored.tif").read_bytes()

    def test_the_usual_nodata_of_float32_is_nothing_unusual(self, restore, tmp_path):
        lowest = np.finfo(np.float32).min
        array = np.where(MASK, lowest, slopes((1, 30, 40), "float32"))
        scene(tmp_path / "a.tif", array, nodata=float(lowest))
        said = restore("a.tif")
        assert "Took the file's nodata value -3.4028234663852886e+38 for missing." in said.out
        assert said.err == ""
        np.testing.assert_allclose(bands_of(tmp_path / "a-restored.tif"), slopes((1, 30, 40), "float32"), atol=8)

    @pytest.mark.parametrize("compress", ["deflate", "lerc"])
    @pytest.mark.parametrize("value", [-3.4028234663852886e38, -9999.0, np.nan, None])
    def test_tiles_that_are_left_out_hold_nodata(self, tmp_path, value, compress):
        profile = {"driver": "GTiff", "count": 1, "height": 32, "width": 32, "dtype": "float32", "nodata": value,
                   "crs": "EPSG:32633", "transform": rasterio.transform.from_origin(5e5, 5e6, 10, 10),
                   "tiled": True, "blockxsize": 16, "blockysize": 16, "compress": compress,
                   "sparse_ok": True}  # fmt: skip
        with rasterio.open(tmp_path / "a.tif", "w", **profile) as file:
            file.write(slopes((1, 16, 32), "float32"), window=rasterio.windows.Window(0, 0, 32, 16))
        image, _ = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(image, bands_of(tmp_path / "a.tif")[0])

    @pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
    @pytest.mark.parametrize("interleave", ["pixel", "band"])
    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_the_std_and_the_interval_have_the_scale_of_the_restored_file(self, restore, tmp_path, count, interleave):
        scene(tmp_path / "a.tif", slopes((count, 30, 40), "int16"), np.stack([MASK] * count), interleave=interleave)
        with rasterio.open(tmp_path / "a.tif", "r+") as file:
            file.scales = [-0.1 * (k + 1) if k else 0.1 for k in range(count)]
            file.offsets = [5.0 + k for k in range(count)]
        restore("a.tif", "--std", "std.tif", "--interval", "ends.tif")

        def scaled(place):
            with rasterio.open(place) as file:
                assert file.count == count
                of_each = zip(file.read(), file.scales, file.offsets, strict=True)
                return np.stack([band * scale + offset for band, scale, offset in of_each])[:, MASK]

        low, high = (scaled(f"GTIFF_DIR:{k}:{tmp_path / 'ends.tif'}") for k in (1, 2))
        filled, std = scaled(tmp_path / "a-restored.tif"), scaled(tmp_path / "std.tif")
        assert ((low <= filled) & (filled <= high)).mean() > 0.9
        with rasterio.open(tmp_path / "std.tif") as file:
            expected = [0.1 * (k + 1) * band[MASK] for k, band in enumerate(file.read())]
        np.testing.assert_allclose(std, expected)
        assert (std >= 0).all()
        assert std.any()

    def test_a_fill_that_equals_nodata_is_said(self, restore, tmp_path):
        array = np.full((1, 30, 40), 10, np.int16)
        array[0, :, 20:] = -10
        scene(tmp_path / "a.tif", array, nodata=0)
        hole = np.zeros((30, 40), bool)
        hole[:, 19:22] = True  # 5, 0 and -5 belong there
        Image.fromarray(hole).save(tmp_path / "m.png")
        said = restore("a.tif", "--mask", "m.png").out
        assert "30 filled values equal the file's nodata value, and read as missing." in said

    def test_numbers_of_classes_are_refused(self, restore, tmp_path):
        scene(tmp_path / "a.tif", slopes((1, 30, 40), "uint8") % 5, photometric="PALETTE")
        with rasterio.open(tmp_path / "a.tif", "r+") as file:
            file.write_colormap(1, {k: (50 * k, 0, 0, 255) for k in range(5)})
        said = restore("a.tif", status=2).err
        assert "a.tif cannot be read as a picture: it holds numbers of classes" in said
        assert "gdal_translate -expand rgb IN OUT" in said

    def test_jpeg_in_ycbcr_keeps_its_place(self, restore, tmp_path):
        scene(tmp_path / "a.tif", slopes((3, 64, 64), "uint8"), photometric="YCBCR", compress="jpeg")
        restore("a.tif", "--missing", "60")
        one, other = (facts(tmp_path / f"{name}.tif") for name in ("a", "a-restored"))
        assert {k: one[k] for k in one if k != "interleave"} == {k: other[k] for k in other if k != "interleave"}

    @pytest.mark.parametrize("interleave", ["pixel", "band"])
    @pytest.mark.parametrize("layout", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}])
    @pytest.mark.parametrize("alike", [True, False])
    def test_nan_in_the_masks_of_lerc(self, tmp_path, interleave, layout, alike):
        before = slopes((2, 30, 40), "float32")
        before[:, MASK] = np.nan
        if not alike:  # then GDAL stores one band after the other, whatever the interleave
            if interleave == "pixel" and tuple(map(int, rasterio.__gdal_version__.split(".")[:2])) < (3, 10):
                pytest.skip("GDAL before 3.10 cannot read what it writes")
            before[1, 20:25] = np.nan
        scene(tmp_path / "a.tif", before, compress="lerc", interleave=interleave, **layout)
        image, extras = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(np.moveaxis(image, extras.channel_axis, 0), before)

    @pytest.mark.parametrize("dtype", ["uint16", "int32"])
    @pytest.mark.parametrize("endianness", ["little", "big"])
    def test_integers_in_lerc_of_either_byte_order(self, tmp_path, dtype, endianness):
        before = slopes((1, 30, 40), dtype)
        scene(tmp_path / "a.tif", before, compress="lerc", endianness=endianness)
        np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], before[0])

    @pytest.mark.parametrize("count", [2, 4])
    def test_an_alpha_in_the_masks_of_lerc(self, tmp_path, count):
        before = slopes((count, 30, 40), "uint8")
        before[-1] = np.where(MASK, 0, 255)
        before[:, MASK] = 0
        scene(tmp_path / "a.tif", before, compress="lerc", interleave="pixel", alpha="yes")
        image, extras = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(np.dstack([image, extras.alpha]), np.moveaxis(before, 0, -1))

    def test_one_bit_stays_zero_and_one(self, restore, tmp_path):
        before = scene(tmp_path / "a.tif", slopes((1, 30, 40), "uint8") % 2, nbits=1)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        assert "1 bit a sample became 8, with the same values" in restore("a.tif", "--mask", "m.png").out
        np.testing.assert_array_equal(bands_of(tmp_path / "a-restored.tif")[:, ~MASK], before[:, ~MASK])


def stack(path, axes, shape, dtype="uint16", **options):
    array = slopes(shape if axes[-1] != "S" else (*shape[:-3], *shape[-3:-1]), dtype)
    if axes[-1] == "S":
        array = np.stack([array, array[..., ::-1], array // 2], axis=-1)
    photometric = "rgb" if axes[-1] == "S" else "minisblack"
    metadata = {"axes": axes, **options.pop("metadata", {})}
    tifffile.imwrite(path, array, photometric=photometric, metadata=metadata, **options)
    return array


def page_by_page(planes, tags):
    """A TIFF of bytes as libtiff writes it: each page's pixels before its tags."""
    data, link = bytearray(b"II*\0" + bytes(4)), 4
    for plane, extra in zip(planes, tags, strict=True):
        (height, width), start = plane.shape, len(data)
        data += plane.tobytes() + bytes(plane.nbytes % 2)
        plain = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: start, 277: 1, 278: height, 279: plane.nbytes}
        held = sorted([(code, 4, 1, struct.pack("<I", value)) for code, value in plain.items()] + extra)
        at = len(data)
        data[link : link + 4] = struct.pack("<I", at)
        behind = at + 2 + 12 * len(held) + 4
        packed, values = b"", b""
        for code, kind, count, value in held:
            field = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", behind + len(values))
            packed += struct.pack("<HHI", code, kind, count) + field
            values += value + bytes(len(value) % 2) if len(value) > 4 else b""
        data += struct.pack("<H", len(held)) + packed + bytes(4) + values
        link = behind - 4
    return bytes(data)


class TestStack:
    @pytest.mark.parametrize(
        ("axes", "shape"),
        [
            ("TCZYX", (2, 2, 3, 30, 40)),
            ("TZCYX", (2, 3, 2, 30, 40)),
            ("ZYX", (4, 30, 40)),
            ("CYX", (3, 30, 40)),
            ("TYX", (3, 30, 40)),
            ("ZYXS", (2, 30, 40, 3)),
        ],
    )
    @pytest.mark.parametrize("kind", ["ome", "imagej"])
    def test_planes_axes_and_metadata_come_back(self, restore, tmp_path, kind, axes, shape):
        if kind == "ome":
            metadata = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm"}
            options = {"ome": True, "metadata": metadata}
        elif axes == "TCZYX":
            pytest.skip("ImageJ has its own order")
        else:
            options = {"imagej": True, "resolution": (10, 10), "metadata": {"unit": "um", "spacing": 0.5, "Info": "x"}}
        dtype = "uint8" if axes[-1] == "S" else "uint16"
        before = stack(tmp_path / "a.tif", axes, shape, dtype, **options)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        said = restore("a.tif", "--mask", "m.png")
        assert ("Spacing Z 5, Y 1, X 1, as the file says." in said.out) == ("Z" in axes)
        assert ("frames along time (T), each on its own" in said.out) == ("T" in axes)
        assert said.err == ""
        with tifffile.TiffFile(tmp_path / "a.tif") as one, tifffile.TiffFile(tmp_path / "a-restored.tif") as other:
            after = other.series[0].asarray()
            assert other.series[0].axes == one.series[0].axes
            assert other.ome_metadata == one.ome_metadata
            assert str(other.imagej_metadata) == str(one.imagej_metadata)
            assert len(other.pages) == len(one.pages)
            assert other.pages[0].resolution == one.pages[0].resolution
        known = np.broadcast_to(~MASK[..., None] if axes[-1] == "S" else ~MASK, before.shape)
        np.testing.assert_array_equal(after[known], before[known])
        np.testing.assert_allclose(after[~known], before[~known], atol=4)

    @pytest.mark.parametrize("tile", [None, (16, 16), (2, 16, 16)])
    def test_planes_of_one_page_stay_a_volume(self, tmp_path, tile):
        before = slopes((4, 30, 40), "uint16")
        options = {"photometric": "minisblack", "volumetric": True, "metadata": None}
        tifffile.imwrite(tmp_path / "a.tif", before, tile=tile, **options)
        write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        for name in ("a.tif", "b.tif"):
            image, extras = read(tmp_path / name)
            assert extras.axes == "ZYX"
            np.testing.assert_array_equal(image, before)
        with tifffile.TiffFile(tmp_path / "a.tif") as one, tifffile.TiffFile(tmp_path / "b.tif") as other:
            assert other.pages[0].is_tiled == one.pages[0].is_tiled
            assert other.pages[0].tile == one.pages[0].tile

    @pytest.mark.parametrize("samples", [1, 2, 3, 4])
    @pytest.mark.parametrize("axes", ["SYX", "YXS", "QSYX", "QYXS"])
    def test_samples_of_an_array_without_a_layout_are_those_of_a_page(self, tmp_path, axes, samples):
        sizes = {"Q": 2, "Y": 30, "X": 40, "S": samples}
        array = slopes([sizes[letter] for letter in axes], "float32")
        write(tmp_path / "a.tif", array, Extras(axes=axes))
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            assert file.pages[0].samplesperpixel == samples
            assert len(file.pages) == array.size // (30 * 40 * samples)
            np.testing.assert_array_equal(file.asarray().squeeze(), array.squeeze())

    @pytest.mark.parametrize("kind", ["imagej", "shaped"])
    def test_pages_that_do_not_lie_where_their_description_says_are_read_where_they_are(self, tmp_path, kind):
        """As libtiff's tiffcp writes them anew, each behind the tags of the page before."""
        array = slopes((2, 6, 5), "uint8")
        tifffile.imwrite(tmp_path / "a.tif", array, imagej=kind == "imagej", photometric="minisblack")
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            description = file.pages[0].description
        first = [(270, 2, len(description) + 1, description.encode() + b"\0"), (65000, 1, 4, bytes(4))]
        (tmp_path / "b.tif").write_bytes(page_by_page(array, [first, first[1:]]))
        assert not np.array_equal(tifffile.imread(tmp_path / "b.tif"), array)
        image, extras = read(tmp_path / "b.tif")
        np.testing.assert_array_equal(image, array)
        write(tmp_path / "c.tif", image, extras)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "c.tif"), array)

    @pytest.mark.parametrize("options", [{"compression": "zlib"}, {"photometric": "miniswhite"}, {"rowsperstrip": 4}])
    @pytest.mark.parametrize("described", [None, '{"shape": [9, 12, 16]}', "ImageJ=1.11a\nimages=9\nslices=9\n"])
    def test_a_page_that_is_stored_in_another_way_is_refused(self, tmp_path, described, options):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for k, page in enumerate(slopes((9, 12, 16), "uint8")):
                how = {"photometric": "minisblack", "description": described if k == 0 else None}
                writer.write(page, metadata=None, **(how | options if k == 3 else how))
        with pytest.raises(ValueError, match=r"pages are not all stored in the same way.*tiffsplit"):
            read(tmp_path / "a.tif")

    @pytest.mark.parametrize(
        "described", ["ImageJ=1.11a\nimages=6\nslices=3\nframes=2\n", "ImageJ=1.11a\nimages=2\nslices=2\n"]
    )
    def test_a_description_of_more_pages_than_there_are_is_refused(self, tmp_path, described):
        data = page_by_page(slopes((1, 6, 5), "uint8"), [[(270, 2, len(described) + 1, described.encode() + b"\0")]])
        (tmp_path / "a.tif").write_bytes(data + bytes(40))
        with pytest.raises(ValueError, match=r"its description says that it holds . pages\. Got 1 instead"):
            read(tmp_path / "a.tif")

    def test_ome_whose_planes_have_other_pages_between_them_is_refused(self, tmp_path):
        """Its description numbers the pages, and they would lie elsewhere without the others."""
        tifffile.imwrite(tmp_path / "a.tif", slopes((2, 12, 16), "uint8"), ome=True, metadata={"axes": "ZYX"})
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            apart = '<TiffData IFD="0" FirstZ="0" PlaneCount="1"/><TiffData IFD="2" FirstZ="1" PlaneCount="1"/>'
            described = re.sub("<TiffData[^>]*/>", apart, file.ome_metadata)
            assert apart in described
        with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
            for k, page in enumerate(slopes((3, 12, 16), "uint8")):
                text = described.encode() if k == 0 else None
                writer.write(page, metadata=None, photometric="minisblack", description=text)
        with pytest.raises(ValueError, match="its description leaves out 1 of its 3 pages"):
            read(tmp_path / "b.tif")

    def test_a_later_page_that_lacks_strips_is_refused(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for page in slopes((2, 12, 16), "uint8"):
                writer.write(page, metadata=None, photometric="minisblack", rowsperstrip=4)
        data = bytearray((tmp_path / "a.tif").read_bytes())
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            counts = [file.pages[1].aspage().tags[code].offset + 4 for code in (273, 279)]
        for at in counts:
            data[at : at + 4] = struct.pack("<I", 2)
        (tmp_path / "a.tif").write_bytes(data)
        with pytest.raises(ValueError, match="2 of its 3 strips or tiles are there"):
            read(tmp_path / "a.tif")

    def test_pages_of_another_shape_than_their_description_are_refused(self, tmp_path):
        """As tifffile writes an ImageJ stack that is one pixel wide: its channels become rows."""
        tifffile.imwrite(tmp_path / "a.tif", slopes((2, 2, 3, 3, 1), "uint8"), imagej=True, metadata={"axes": "TZCYX"})
        with pytest.raises(ValueError, match="its description says"):
            read(tmp_path / "a.tif")

    def test_each_page_keeps_its_own_resolution_and_colour_profile(self, tmp_path):
        beside = [((100, 50), bytes(9)), ((300, 50), bytes(9)), ((100, 50), None)]
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for page, (dots, profile) in zip(slopes((3, 12, 16), "uint8"), beside, strict=True):
                writer.write(page, metadata=None, photometric="minisblack", resolution=dots, iccprofile=profile)
        write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            pages = [page.aspage() for page in file.pages]
            assert [(page.get_resolution(), page.iccprofile) for page in pages] == beside

    def test_sub_images_of_the_same_size_are_no_planes(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for k, page in enumerate(slopes((4, 12, 16), "uint8")):
                writer.write(page, metadata=None, photometric="minisblack", subifds=1 - k % 2)
        with pytest.raises(ValueError, match="it holds sub-images beside its pictures"):
            read(tmp_path / "a.tif")

    def test_a_description_stays_beside_the_one_of_tifffile(self, tmp_path):
        tifffile.imwrite(
            tmp_path / "a.tif", slopes((2, 12, 16), "uint8"), description="notes", photometric="minisblack"
        )
        write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            assert [tag.value for tag in file.pages[0].tags if tag.code == 270] == ["notes", '{"shape": [2, 12, 16]}']

    @pytest.mark.parametrize(
        "options",
        [
            {"truncate": True},
            {"truncate": True, "iccprofile": bytes(9000)},
            {"iccprofile": bytes(9000)},
            {"extratags": [(65000, 1, 9000, bytes(9000), True)]},
            {"extratags": [(65000, 1, 9000, bytes(9000), False)]},
        ],
        ids=["truncated", "truncated-profile", "profile", "tag", "tags"],
    )
    def test_planes_without_descriptions_of_their_own_keep_their_axes(self, tmp_path, options):
        array = slopes((3, 30, 40), "uint16")
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata={"axes": "TYX"}, **options)
        write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            assert file.series[0].axes == "TYX"
            np.testing.assert_array_equal(file.asarray(), array)

    @pytest.mark.parametrize("program", ["MetaMorph", "Zeiss LSM", "Molecular Dynamics"])
    def test_metadata_about_places_in_the_file_are_named_and_left_out(self, restore, tmp_path, program):
        array, shape = slopes((3, 30, 40), "uint16"), (3, 30, 40)
        plain = {"photometric": "minisblack", "metadata": None}
        if program == "MetaMorph":  # the planes are in one page
            planes = 3 * (5, 1, 2451545, 0, 2451545, 0)
            tags = [(33628, 4, 4, (0, 1, 1, 0), True), (33629, 5, 9, planes, True), (33630, 5, 3, 3 * (5, 1), True)]
            tifffile.imwrite(tmp_path / "a.tif", array.reshape(90, 40), extratags=tags, **plain)
            with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
                file.pages[0].tags["ImageLength"].overwrite(30)
                places = {file.pages[0].tags[code].offset + 4: count for code, count in ((33628, 2), (33629, 3))}
            with (tmp_path / "a.tif").open("r+b") as file:
                for place, count in places.items():  # of pairs, and of planes
                    file.seek(place)
                    file.write(np.uint32(count).tobytes())
        elif program == "Zeiss LSM":  # every second page is a thumbnail
            about = np.array([0x0400494C, 512, 40, 30, 3, 1, 1, 2], "<i4").tobytes().ljust(512, b"\0")
            with tifffile.TiffWriter(tmp_path / "a.tif") as file:
                for k, plane in enumerate(array):
                    tags = [(34412, 1, 512, about, True)] if k == 0 else []
                    file.write(plane, contiguous=False, extratags=tags, **plain)
                    file.write(plane[::2, ::2], contiguous=False, subfiletype=1, **plain)
        else:  # the values are square roots
            tags = [(33445, 4, 1, 2, True), (33446, 5, 1, (1, 1), True)]
            tifffile.imwrite(tmp_path / "a.tif", array[0], extratags=tags, **plain)
            array, shape = array[0].astype(np.float32) ** 2, (30, 40)
        before, extras = read(tmp_path / "a.tif")
        assert before.shape == shape
        np.testing.assert_array_equal(before, array)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        assert f"{program} metadata" in restore("a.tif", "--mask", "m.png").err
        with tifffile.TiffFile(tmp_path / "a-restored.tif") as file:
            assert file.series[0].axes == extras.axes
            np.testing.assert_array_equal(file.asarray()[..., ~MASK], array[..., ~MASK])

    def test_bits_are_bytes_in_what_ome_says_too(self, tmp_path):
        bits = slopes((3, 30, 40), "uint8") % 2 == 0
        tifffile.imwrite(tmp_path / "a.tif", bits, ome=True, photometric="minisblack", metadata={"axes": "ZYX"})
        write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        with tifffile.TiffFile(tmp_path / "a.tif") as one, tifffile.TiffFile(tmp_path / "b.tif") as other:
            assert other.ome_metadata == one.ome_metadata.replace('Type="bit"', 'Type="uint8"') != one.ome_metadata
            np.testing.assert_array_equal(other.asarray(), np.where(bits, 255, 0))

    def test_pages_keep_their_own_tags(self, restore, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for k, page in enumerate(slopes((3, 30, 40), "int16")):
                writer.write(page, description=f"page {k}", metadata=None, extratags=[(274, 3, 1, 6, True)])
        Image.fromarray(MASK).save(tmp_path / "m.png")
        said = restore("a.tif", "--mask", "m.png").out
        assert "3 frames along pages (I), each on its own; --axes ZYX restores a volume." in said
        with tifffile.TiffFile(tmp_path / "a-restored.tif") as file:
            assert [page.description for page in file.pages] == ["page 0", "page 1", "page 2"]
            assert [page.tags["Orientation"].value for page in file.pages] == [6, 6, 6]

    def test_axes_and_spacing_of_the_user(self, restore, tmp_path):
        array = slopes((3, 30, 40), "float32")
        array[1] += 50
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata=None)
        mask = np.zeros(array.shape, bool)
        mask[1, 10:20, 10:20] = True
        tifffile.imwrite(tmp_path / "m.tif", mask.astype(np.uint8) * 255, photometric="minisblack", metadata=None)
        fills = {}
        for name, options in {
            "pages": (),
            "near": ("--axes", "ZYX"),
            "far": ("--axes", "ZYX", "--spacing", "9,1,1"),
        }.items():
            restore("a.tif", "--mask", "m.tif", *options, "-o", f"{name}.tif")
            fills[name] = read(tmp_path / f"{name}.tif")[0][mask].mean() - array[mask].mean()
        assert abs(fills["pages"]) < 1
        assert fills["near"] < -20  # the planes above and below are 50 lower
        assert fills["near"] < fills["far"] < fills["pages"]
        said = restore("a.tif", "--mask", "m.tif", "--axes", "ZYX", "--spacing", "1,2", "-o", "b.tif", status=2).err
        assert "--spacing must be one number or 3, for Z, Y, X. Got 2 instead." in said

    @pytest.mark.parametrize(
        ("written", "spacing"),
        [
            ({"ome": True, "metadata": {"Z": (0.5, "µm"), "Y": (100, "nm"), "X": (100, "nm")}}, (5, 1, 1)),
            ({"ome": True, "metadata": {"Z": (0.5, "mm"), "Y": (0.1, "mm"), "X": (0.1, "mm")}}, (5, 1, 1)),
            ({"ome": True, "metadata": {"Z": (5, "pixel"), "Y": (0.1, "µm"), "X": (0.1, "µm")}}, None),
            ({"imagej": True, "metadata": {"spacing": 500, "unit": "um", "zunit": "nm"}}, (5, 1, 1)),
            ({"imagej": True, "metadata": {"spacing": -0.5, "unit": "\\u00B5m"}}, (5, 1, 1)),
        ],
    )
    def test_units_of_the_spacing(self, restore, tmp_path, written, spacing):
        """They were ignored, or the spacing was, without a word."""
        metadata = written["metadata"]
        if "ome" in written:
            sizes = {
                f"PhysicalSize{axis}{what}": part
                for axis, pair in metadata.items()
                for part, what in zip(pair, ("", "Unit"), strict=True)
            }
            written = {"ome": True, "metadata": {"axes": "ZYX", **sizes}}
        else:
            written = {"imagej": True, "resolution": (10, 10), "metadata": {"axes": "ZYX", **metadata}}
        tifffile.imwrite(tmp_path / "a.tif", slopes((4, 30, 40), "uint16"), **written)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        said = restore("a.tif", "--mask", "m.png").out
        found = read(tmp_path / "a.tif")[1].spacing
        if spacing is None:
            assert found is None
            assert (
                "units that cannot be compared, Z in pixel, Y in µm, X in µm; without --spacing they count as equal."
                in said
            )
        else:
            np.testing.assert_allclose(np.divide(found, found[2]), spacing)
            assert "Spacing Z 5, Y 1, X 1, as the file says." in said

    @pytest.mark.parametrize(
        ("axes", "given", "said"),
        [
            ("ZYX", ("--axes", "TYX"), "Spacing Y 2, X 1, as the file says."),
            ("TYX", ("--axes", "ZYT"), ""),
            ("YX", ("--axes", "YX"), "Spacing Y 2, X 1, as the file says."),
        ],
    )
    def test_the_spacing_stays_with_its_axes(self, restore, tmp_path, axes, given, said):
        """That of the rows was lost where pages were renamed, or became that of the planes."""
        shape = (4, 30, 40)[-len(axes) :]
        sizes = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 1.0}
        tifffile.imwrite(tmp_path / "a.tif", slopes(shape, "uint16"), ome=True, metadata={"axes": axes, **sizes})
        mask = np.zeros(shape, bool)
        mask[..., 10:20, 10:20] = True
        tifffile.imwrite(tmp_path / "m.tif", mask.astype(np.uint8), photometric="minisblack", metadata=None)
        printed = restore("a.tif", "--mask", "m.tif", *given).out
        assert said in printed if said else "Spacing" not in printed

    def test_planes_in_another_order(self, tmp_path):
        before = stack(tmp_path / "a.ome.tif", "TZYX", (2, 2, 30, 40), ome=True)
        with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
            xml = file.ome_metadata
        other = "".join(
            f'<TiffData FirstT="{t}" FirstZ="{z}" FirstC="0" IFD="{ifd}" PlaneCount="1"/>'
            for ifd, (t, z) in enumerate([(1, 1), (0, 1), (1, 0), (0, 0)])
        )
        at = xml.index("<TiffData")
        xml = xml[:at] + other + xml[xml.index("/>", at) + 2 :]
        planes = [before[1, 1], before[0, 1], before[1, 0], before[0, 0]]
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for k, plane in enumerate(planes):
                writer.write(plane, description=xml.encode() if k == 0 else None, metadata=None)
        image, extras = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(image, before)
        write(tmp_path / "b.tif", image, extras)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), before)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif", key=0), planes[0])

    def test_planes_that_are_not_there_are_no_zeros(self, tmp_path):
        before = stack(tmp_path / "a.ome.tif", "TYX", (4, 30, 40), ome=True)
        with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
            xml = file.ome_metadata.replace('PlaneCount="4"', 'PlaneCount="3"')
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for k, plane in enumerate(before[:3]):
                writer.write(plane, description=xml.encode() if k == 0 else None, metadata=None)
        with pytest.raises(
            ValueError, match=r"a\.tif cannot be read as a picture: 1 of its 4 planes are not in the file"
        ):
            read(tmp_path / "a.tif")

    def test_planes_in_several_files_are_refused(self, tmp_path):
        before = stack(tmp_path / "a.ome.tif", "TYX", (2, 30, 40), ome=True)
        with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
            xml = file.ome_metadata
        at = xml.index("<TiffData")
        files = "".join(
            f'<TiffData FirstT="{t}" FirstC="0" FirstZ="0" IFD="0" PlaneCount="1">'
            f'<UUID FileName="{name}.ome.tif">urn:uuid:{name}</UUID></TiffData>'
            for t, name in enumerate("bc")
        )
        xml = xml[:at] + files + xml[xml.index("/>", at) + 2 :]
        for name, plane in zip("bc", before, strict=True):
            own = xml.replace("<OME ", f'<OME UUID="urn:uuid:{name}" ', 1)
            own = (
                own
                if own.count("UUID=") == 1
                else xml.replace(xml.split('UUID="')[1].split('"')[0], f"urn:uuid:{name}", 1)
            )
            tifffile.imwrite(tmp_path / f"{name}.ome.tif", plane, description=own.encode(), metadata=None)
        with pytest.raises(ValueError, match=r"b\.ome\.tif cannot be .*: its planes are spread over several files"):
            read(tmp_path / "b.ome.tif")

    def test_a_film_of_a_stack_is_refused(self, restore, tmp_path):
        stack(tmp_path / "a.tif", "TYX", (4, 30, 40), imagej=True)
        said = restore("a.tif", "--film", "a.gif", status=2).err
        assert "--film shows one picture, but a.tif holds a stack on the axes TYX." in said

    @pytest.mark.parametrize("axes", ["YX", "ZZX", "AYX"])
    def test_axes_that_do_not_fit(self, restore, tmp_path, axes):
        stack(tmp_path / "a.tif", "TYX", (4, 30, 40), imagej=True)
        said = restore("a.tif", "--axes", axes, status=2).err
        assert "--axes must be 3 different letters of T, C, Z, Y, X, S and Q, one for each axis of an image of" in said
        assert f"shape (4, 30, 40). Got '{axes}' instead." in said
        assert "--axes must name an axis in space" in restore("a.tif", "--axes", "tcs", status=2).err

    def test_a_mask_of_another_shape(self, restore, tmp_path):
        stack(tmp_path / "a.tif", "ZYX", (4, 30, 40), imagej=True)
        write(tmp_path / "m.png", np.full((5, 5), 255, np.uint8))
        said = restore("a.tif", "--mask", "m.png", status=2).err
        assert "The mask has shape (5, 5), but the image (4, 30, 40) on the axes ZYX." in said


class TestPicture:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.parametrize("byteorder", "<>")
    @pytest.mark.parametrize("bigtiff", [False, True])
    def test_a_photograph_keeps_what_its_editor_wrote(self, restore, tmp_path, dtype, byteorder, bigtiff):
        exif = Image.Exif()
        exif[0x010F] = "a camera"
        exif.get_ifd(0x8769).update({0x9003: "2024:01:01 00:00:00", 0x829A: (1, 125), 0x927C: b"maker's own"})
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 1.0, 2.5)})
        colours = np.moveaxis(slopes((3, 30, 40), dtype), 0, -1)
        tags = [(33723, 7, 80, b"iptc" * 20, True), (34377, 7, 16, RESOURCE, True), (274, 3, 1, 6, True)]
        tifffile.imwrite(tmp_path / "plain.tif", colours, photometric="rgb", metadata=None, byteorder=byteorder,
                         bigtiff=bigtiff, resolution=(300, 150), resolutionunit="inch", software="Düsentrieb".encode(),
                         description="a view", extratags=tags)  # fmt: skip
        image, extras = read(tmp_path / "plain.tif")
        assert image.shape == (40, 30, 3)
        assert extras.dpi == (150, 300)
        xmp = b'<x tiff:Orientation="1"/>'
        beside = Extras(exif=exif.tobytes(), xmp=xmp, dpi=extras.dpi, axes="YXS", carried=extras.carried)
        write(tmp_path / "a.tif", image, beside)
        Image.fromarray(np.rot90(MASK, -1)).save(tmp_path / "m.png")
        assert restore("a.tif", "--mask", "m.png").err == ""
        with tifffile.TiffFile(tmp_path / "a-restored.tif") as file:
            page = file.pages[0]
            assert (file.byteorder, file.is_bigtiff) == (byteorder, bigtiff)
            assert page.tags["ExifTag"].value["ExposureTime"] == (1, 125)
            assert page.tags["ExifTag"].value["MakerNote"] == b"maker's own"
            assert page.tags["GPSTag"].value["GPSLatitudeRef"] == "N"
            assert page.tags[33723].value == b"iptc" * 20
            assert page.tags[34377].value == RESOURCE
            assert page.tags["XMP"].value == xmp
            assert page.tags.valueof("Orientation", default=1) == 1
            assert page.description == "a view"
            assert page.tags["Software"].value == "Düsentrieb"
            restored = page.asarray()
        np.testing.assert_array_equal(restored[~np.rot90(MASK, -1)], image[~np.rot90(MASK, -1)])

    @pytest.mark.parametrize("byteorder", "<>")
    @pytest.mark.parametrize("bigtiff", [False, True])
    def test_fractions_are_as_many_as_they_were(self, tmp_path, byteorder, bigtiff):
        tags = [
            (286, 5, 1, (7, 2), True),  # XPosition
            (318, 5, 2, (3127, 10000, 329, 1000), True),  # WhitePoint
            (65000, 10, 2, (-1, 2, 3, -4), True),
        ]
        picture = np.zeros((4, 6, 3), np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", metadata=None, extratags=tags,
                         byteorder=byteorder, bigtiff=bigtiff)  # fmt: skip
        write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        for name in ("a", "b"):
            with tifffile.TiffFile(tmp_path / f"{name}.tif") as file:
                found = [file.pages[0].tags[code] for code, *_ in tags]
                assert [(tag.count, tag.value) for tag in found] == [tag[2:4] for tag in tags]

    @pytest.mark.parametrize("workers", [(), ("--workers", "0")])
    def test_layers_of_photoshop_are_of_the_damaged_picture(self, restore, tmp_path, workers):
        layers = b"Adobe Photoshop Document Data Block\0MIB8ryaL"
        tags = [(37724, 7, len(layers), layers, True)]
        tifffile.imwrite(tmp_path / "a.tif", slopes((30, 40), "uint8"), metadata=None, extratags=tags)
        tifffile.imwrite(tmp_path / "m.tif", np.where(MASK, 255, 0).astype(np.uint8))
        err = restore("a.tif", "--mask", "m.tif", *workers).err
        assert err.count("a-restored.tif does not hold what its source does: Photoshop layers.") == 1
        assert layers not in (tmp_path / "a-restored.tif").read_bytes()

    @pytest.mark.parametrize("code", [b"\x04\x09", b"\x04\x0c"])
    def test_thumbnails_of_photoshop_are_of_the_damaged_picture(self, tmp_path, code):
        named = b"8BIM\x03\xed\x04name\0\0\0\0\x02ab"
        thumbnail = b"8BIM" + code + b"\0\0\0\0\0\x03jpg\0"
        for resources, kept in (
            (named + thumbnail + RESOURCE, named + RESOURCE),
            (RESOURCE + thumbnail[:-1], RESOURCE),
            (thumbnail, None),
        ):
            tags = [(34377, 7, len(resources), resources, True)]
            tifffile.imwrite(tmp_path / "a.tif", slopes((30, 40), "uint8"), metadata=None, extratags=tags)
            write(tmp_path / "b.tif", *read(tmp_path / "a.tif"), overwrite=True)
            with tifffile.TiffFile(tmp_path / "b.tif") as file:
                assert file.pages[0].tags.valueof(34377) == kept

    @pytest.mark.parametrize("kind", [1, 6, 7])
    @pytest.mark.parametrize("resources", [b"8BIM" * 20, RESOURCE[:-1], RESOURCE + b"thumbnail"])
    def test_resources_of_photoshop_that_cannot_be_told_apart_are_named(self, tmp_path, resources, kind):
        tags = [(34377, kind, len(resources), resources, True)]
        tifffile.imwrite(tmp_path / "a.tif", slopes((30, 40), "uint8"), metadata=None, extratags=tags)
        with pytest.warns(MetadataWarning, match=r"b\.tif does not hold .*: Photoshop data, which are damaged\."):
            write(tmp_path / "b.tif", *read(tmp_path / "a.tif"))
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            assert 34377 not in file.pages[0].tags

    def test_exif_data_from_a_jpeg_and_to_a_png(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "a camera"
        exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
        exif.get_ifd(0x8825)[2] = (48.0, 1.0, 2.5)
        Image.fromarray(slopes((30, 40), "uint8")).save(tmp_path / "a.jpg", exif=exif)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            write(tmp_path / "b.tif", *read(tmp_path / "a.jpg"))
            write(tmp_path / "c.png", *read(tmp_path / "b.tif"))
        for name in ("b.tif", "c.png"):
            with Image.open(tmp_path / name) as file:
                found = file.getexif()
                assert found[0x010F] == "a camera"
                assert found.get_ifd(0x8769)[0x9003] == "2024:01:01 00:00:00"
                assert found.get_ifd(0x8825)[2] == (48.0, 1.0, 2.5)
                assert found.get(0x0112, 1) == 1

    def test_white_is_zero(self, restore, tmp_path):
        before = slopes((30, 40), "uint16")
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="miniswhite", metadata=None)
        image, _ = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(image, 65535 - before)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        restore("a.tif", "--mask", "m.png")
        with tifffile.TiffFile(tmp_path / "a-restored.tif") as file:
            assert file.pages[0].photometric.name == "MINISWHITE"
            np.testing.assert_array_equal(file.asarray()[~MASK], before[~MASK])

    def test_white_is_zero_in_twelve_bits(self, restore, tmp_path):
        before = slopes((30, 40), "uint16") * 20
        even, odd = before[:, ::2], before[:, 1::2]
        packed = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], axis=-1).astype(np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", packed.reshape(30, 60), photometric="miniswhite", metadata=None)
        with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:  # old versions write no 12 bits themselves
            file.pages[0].tags["BitsPerSample"].overwrite(12)
        with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
            file.pages[0].tags["ImageWidth"].overwrite(40)
        np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], 4095 - before)
        Image.fromarray(MASK).save(tmp_path / "m.png")
        restore("a.tif", "--mask", "m.png")
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "a-restored.tif")[~MASK], before[~MASK])
        restore("a.tif", "--mask", "m.png", "-o", "a.png")
        np.testing.assert_array_equal(read(tmp_path / "a.png")[0][~MASK], 4095 - before[~MASK])

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_values_of_another_dtype_are_not_inverted_for_a_file_in_which_white_is_zero(self, tmp_path, dtype):
        tifffile.imwrite(tmp_path / "a.tif", slopes((30, 40), "uint16"), photometric="miniswhite", metadata=None)
        _, extras = read(tmp_path / "a.tif")
        write(tmp_path / "b.tif", slopes((30, 40), dtype), extras)
        np.testing.assert_array_equal(read(tmp_path / "b.tif")[0], slopes((30, 40), dtype))

    def test_numbers_that_are_missing_are_those_of_a_raster_in_which_white_is_zero(self, restore, tmp_path):
        before = np.where(MASK, 7, slopes((30, 40), "uint8"))
        tags = [(42113, 2, 2, "7", True)]  # GDAL's nodata
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="miniswhite", metadata=None, extratags=tags)
        assert "Took the file's nodata value 7 for missing." in restore("a.tif").out
        restore("a.tif", "--missing", "7", "-o", "b.tif")
        for name in ("a-restored.tif", "b.tif"):
            np.testing.assert_allclose(tifffile.imread(tmp_path / name), slopes((30, 40), "uint8"), atol=4)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    def test_a_raster_in_which_white_is_zero_looks_the_same_as_a_picture(self, restore, tmp_path, dtype):
        before = slopes((30, 40), dtype)
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="miniswhite", extratags=[PIXEL_SIZE])
        Image.fromarray(MASK).save(tmp_path / "m.png")
        said = restore("a.tif", "--mask", "m.png", "-o", "a.png", "--film", "film.png")
        seen = read(tmp_path / "a.png")[0]
        np.testing.assert_array_equal(seen[~MASK], (np.iinfo(dtype).max - before)[~MASK])
        assert "and values in which 0 is white (they were inverted)." in said.err
        if dtype == "uint8":
            with Image.open(tmp_path / "film.png") as film:
                assert np.isin(255 - before, np.asarray(film.convert("L"))).all()
            said = restore("a.tif", "--mask", "m.png", "-o", "a.jpg")
            assert int(re.search(r"JPEG changed .* by up to (\d+)", said.out)[1]) < 9

    def test_a_raster_of_few_bits_in_which_white_is_zero_has_all_brightness_as_a_picture(self, tmp_path):
        before = slopes((30, 40), "uint8") > 100
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="miniswhite", extratags=[PIXEL_SIZE], metadata=None)
        with pytest.warns(MetadataWarning, match="they were inverted"):
            write(tmp_path / "a.png", *read(tmp_path / "a.tif"))
        np.testing.assert_array_equal(read(tmp_path / "a.png")[0], np.where(before, 0, 255))

    def test_a_sheet_of_such_a_raster_is_refused(self, tmp_path, capsys):
        before = slopes((30, 40), "uint8")
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="miniswhite", extratags=[PIXEL_SIZE])
        write(tmp_path / "b.png", 255 - before)
        for given in (["a.tif"], ["b.png", "--truth", "a.tif"]):
            places = [place if place.startswith("-") else str(tmp_path / place) for place in given]
            assert main(["compare", *places, "--missing", "saturated", "--methods", "laplace"]) == 2
            said = capsys.readouterr().err
            assert "a.tif holds values in which 0 is white, and a sheet would show them inverted. Save it as a" in said

    def test_a_raster_in_which_white_is_zero_keeps_its_values_in_files_of_data(self, restore, tmp_path):
        before = slopes((30, 40), "uint8")
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="miniswhite", extratags=[PIXEL_SIZE])
        Image.fromarray(MASK).save(tmp_path / "m.png")
        for name in ("b.tif", "b.npy"):
            restore("a.tif", "--mask", "m.png", "-o", name)
            np.testing.assert_array_equal(read(tmp_path / name)[0][~MASK], before[~MASK])
        with pytest.warns(MetadataWarning, match="the position on the ground"):
            write(tmp_path / "part.tif", before[:9], read(tmp_path / "a.tif")[1])
        with tifffile.TiffFile(tmp_path / "part.tif") as file:
            np.testing.assert_array_equal(file.asarray(), before[:9])
            assert file.pages[0].photometric.name == "MINISWHITE"

    @pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
    def test_one_bit_is_black_and_white(self, restore, tmp_path, photometric):
        before = slopes((30, 40), "uint8") % 2 == 0
        tifffile.imwrite(tmp_path / "a.tif", before, photometric=photometric, metadata=None)
        image, extras = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(image, np.where(before ^ (photometric == "miniswhite"), 255, 0))
        assert extras.about == "1 bit a sample became 8"

    @pytest.mark.parametrize("axes", [{}, {"ome": True}])
    def test_booleans_of_an_array_are_numbers(self, restore, tmp_path, axes):
        """tifffile and imageio say of them that 0 is white, unless they are told otherwise."""
        tifffile.imwrite(tmp_path / "m.tif", MASK, **axes)
        with tifffile.TiffFile(tmp_path / "m.tif") as file:
            assert file.pages[0].photometric.name == "MINISWHITE"
        np.testing.assert_array_equal(read_mask(tmp_path / "m.tif"), MASK)
        np.testing.assert_array_equal(read(tmp_path / "m.tif")[0], np.where(MASK, 255, 0))

    def test_palettes_become_rgb_and_that_is_said(self, restore, tmp_path):
        colours = Image.fromarray(np.moveaxis(slopes((3, 30, 40), "uint8"), 0, -1)).quantize(16)
        colours.save(tmp_path / "a.tif")
        Image.fromarray(MASK).save(tmp_path / "m.png")
        assert "Its palette was converted to RGB." in restore("a.tif", "--mask", "m.png").out
        after = np.asarray(Image.open(tmp_path / "a-restored.tif"))
        np.testing.assert_array_equal(after[~MASK], np.asarray(colours.convert("RGB"))[~MASK])

    @pytest.mark.parametrize("dtype", [np.uint64, np.int64, np.int8, np.uint32, np.float16, np.float64])
    def test_every_dtype(self, restore, tmp_path, dtype):
        before = slopes((30, 40), dtype)
        tifffile.imwrite(tmp_path / "a.tif", before, photometric="minisblack", metadata=None, compression="zlib")
        Image.fromarray(MASK).save(tmp_path / "m.png")
        assert restore("a.tif", "--mask", "m.png").err == ""
        after = tifffile.imread(tmp_path / "a-restored.tif")
        assert after.dtype == dtype
        np.testing.assert_array_equal(after[~MASK], before[~MASK])

    def test_a_uint64_without_compression(self, tmp_path):
        write(tmp_path / "a.tif", slopes((30, 40), np.uint64))
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), slopes((30, 40), np.uint64))

    @pytest.mark.parametrize(
        ("options", "shape", "says"),
        [
            ({"photometric": "separated"}, (30, 40, 4), "it holds CMYK data. Convert it .* magick IN -colorspace sRGB"),
            ({"photometric": "cielab"}, (30, 40, 3), "it holds CIELAB data. Convert it"),
            (
                {"photometric": "rgb", "extrasamples": ["assocalpha"]},
                (30, 40, 4),
                "multiplied by its alpha.*disassociate",
            ),
            (
                {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha", "unassalpha"]},
                (30, 40, 3),
                "it holds 1 bands and 2 alphas. Save it with one alpha",
            ),
            (
                {"photometric": "cfa", "extratags": [(33421, 3, 2, (2, 2), True)]},
                (30, 40),
                "Develop it in a raw convert",
            ),
        ],
    )
    def test_what_is_refused_names_the_converter(self, tmp_path, options, shape, says):
        tifffile.imwrite(tmp_path / "a.tif", np.ones(shape, np.uint8), metadata=None, **options)
        with pytest.raises(ValueError, match=rf"a\.tif cannot be read as a picture: .*{says}"):
            read(tmp_path / "a.tif")

    def test_ycbcr_without_compression(self, tmp_path):
        colours = Image.fromarray(np.moveaxis(slopes((3, 30, 40), "uint8"), 0, -1)).convert("YCbCr")
        colours.save(tmp_path / "a.tif")
        with Image.open(tmp_path / "a.tif") as file:
            pillow_reads_it = file.mode == "YCbCr"
        if pillow_reads_it:
            np.testing.assert_array_equal(read(tmp_path / "a.tif")[0], np.asarray(colours.convert("RGB")))
        else:  # by Pillow 11
            with pytest.raises(ValueError, match=r"a\.tif cannot be read as a picture: it holds YCBCR data\."):
                read(tmp_path / "a.tif")

    def test_floats_of_which_white_is_zero_are_refused(self, tmp_path):
        array = slopes((30, 40), "float32")
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite", metadata=None)
        with pytest.raises(ValueError, match=r"a\.tif cannot be .*: it holds MINISWHITE data of float32. Convert it"):
            read(tmp_path / "a.tif")

    def test_what_is_transparent_what_the_file_masks_and_what_is_given_are_missing(self, restore, tmp_path):
        rgba = np.concatenate([slopes((30, 40, 3), "uint8"), np.full((30, 40, 1), 255, np.uint8)], axis=-1)
        own, given = np.zeros((2, 30, 40), bool)
        rgba[3:5, 3:9, 3] = 0
        own[10:13, 10:20] = given[20:22, 5:9] = True
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(rgba, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
            writer.write(~own, photometric="mask", subfiletype=4, metadata=None)
        Image.fromarray(given).save(tmp_path / "m.png")
        assert "filled 50 of 1,200 pixels" in restore("a.tif", "--mask", "m.png", "--missing", "transparent").out

    def test_a_mask_alone_is_no_picture(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", MASK, photometric="mask", subfiletype=4, metadata=None)
        with pytest.raises(ValueError, match=r"a\.tif cannot be read as a picture: it holds 0 pictures"):
            read(tmp_path / "a.tif")

    def test_sub_images_are_named(self, tmp_path):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            writer.write(slopes((30, 40), "uint8"), subifds=1, metadata=None)
            writer.write(slopes((9, 7), "uint16"), metadata=None)
        with pytest.raises(ValueError, match="it holds 2 pictures of different kinds"):
            read(tmp_path / "a.tif")

    def test_a_damaged_tag_is_said(self, tmp_path):
        tags = [(65000, 2, 0, "much longer than four bytes", True)]
        tifffile.imwrite(tmp_path / "a.tif", slopes((30, 40), "uint8"), metadata=None, extratags=tags)
        contents = bytearray((tmp_path / "a.tif").read_bytes())
        at = contents.index((65000).to_bytes(2, "little"))
        contents[at + 8 : at + 12] = (10**9).to_bytes(4, "little")
        (tmp_path / "a.tif").write_bytes(contents)
        with pytest.warns(MetadataWarning, match=r"a\.tif is damaged, or unusual: .*65000.*invalid value offset"):
            image, _ = read(tmp_path / "a.tif")
        np.testing.assert_array_equal(image, slopes((30, 40), "uint8"))


WITHOUT_IMAGECODECS = """
import sys
sys.modules["imagecodecs"] = None
from skinpaint.io import read
for path in sys.argv[1:]:
    try:
        image, extras = read(path)
        print(image.sum(), extras.carried.what)
    except ValueError as error:
        print(error)
"""


def test_compressions_without_imagecodecs(tmp_path):
    pytest.importorskip("imagecodecs")
    grey, deep = slopes((30, 40), "uint8"), slopes((2, 30, 40), "int16")
    tags = [(34377, 7, 16, RESOURCE, True)]
    tifffile.imwrite(tmp_path / "grey.tif", grey, compression="lzw", metadata=None, extratags=tags)
    tifffile.imwrite(tmp_path / "white.tif", 255 - grey, compression="lzw", metadata=None, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "deep.tif", deep, compression="lzw", planarconfig="separate", metadata=None)
    white = 65535 - grey.astype(np.uint16)
    tifffile.imwrite(tmp_path / "both.tif", white, compression="lzw", metadata=None, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "float.tif", grey.astype(np.float64), compression="lzw", metadata=None)
    tifffile.imwrite(tmp_path / "fax.tif", grey > 60, compression="packbits", metadata=None, photometric="minisblack")
    names = [f"{name}.tif" for name in ("grey", "white", "both", "deep", "fax", "float")]
    arguments = [sys.executable, "-c", WITHOUT_IMAGECODECS, *names]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    grey_said, white_said, both_said, deep_said, fax_said, float_said = done.stdout.splitlines()
    assert grey_said == f"{grey.sum()} Photoshop data"
    assert white_said.split()[0] == both_said.split()[0] == str(grey.sum())
    assert "float.tif cannot be read as a picture" in float_said
    assert deep_said.startswith("deep.tif cannot be read as a picture: <COMPRESSION.LZW: 5> requires the 'imagecodecs'")
    assert deep_said.endswith("Install that: pip install 'skinpaint[tiff]'.")
    assert fax_said.split()[0] == str(255 * np.count_nonzero(grey > 60))
