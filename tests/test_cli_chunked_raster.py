"""The command line on GeoTIFF in chunks: the same answer as in memory, and a file like its source."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from skinpaint.cli import main

pytest.importorskip("dask")
pytest.importorskip("zarr")
pytest.importorskip("distributed")
rasterio = pytest.importorskip("rasterio")
pytest.importorskip("rasterio.shutil")

PLACE = {"crs": "EPSG:32633", "transform": rasterio.transform.from_origin(4e5, 5e6, 10, 10)}


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scene():
    y, x = np.indices((40, 50))
    return (1000 + 10 * y + 5 * x + 40 * np.sin(y / 5)).astype(np.int16)


@pytest.fixture
def hole():
    hole = np.zeros((40, 50), bool)
    hole[10:20, 15:30] = True
    return hole


def written(name, values, *, mask=None, **more):
    bands = values[None] if values.ndim == 2 else values
    size = {"count": bands.shape[0], "height": bands.shape[1], "width": bands.shape[2]}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=not name.startswith("beside")),
        rasterio.open(name, "w", driver="GTiff", dtype=values.dtype, **size, **{**PLACE, **more}) as file,
    ):
        file.write(bands)
        if mask is not None:
            file.write_mask(~mask)


def both(*arguments):
    """What is restored in chunks, after a look that it is what is restored in memory."""
    given = ["restore", *map(str, arguments), "--method", "laplace", "--quiet"]
    assert main([*given, "-o", "chunks.tif", "--workers", "0"]) == 0
    assert main([*given, "-o", "memory.tif"]) == 0
    found = tifffile.imread("chunks.tif", key=0)
    want = tifffile.imread("memory.tif", key=0)
    np.testing.assert_allclose(found.astype(float), want.astype(float), atol=1, rtol=1e-5)
    return found


class TestMissing:
    def test_a_mask_and_a_nodata_value(self, scene, hole, capsys):
        scene[22:36, 10:40] = -9999
        written("scene.tif", scene, nodata=-9999)
        tifffile.imwrite("mask.tif", np.where(hole, 255, 0).astype(np.uint8))
        assert both("scene.tif", "--mask", "mask.tif").min() > 900
        assert main(["restore", "scene.tif", "--mask", "mask.tif", "--workers", "0", "-o", "again.tif"]) == 0
        assert "Took the file's nodata value -9999 for missing" in capsys.readouterr().out

    def test_the_usual_nodata_value_of_floats_is_no_news(self, scene, hole, capsys, caplog):
        """tifffile logs that it cannot hold it."""
        lowest = float(np.finfo(np.float32).min)
        written("scene.tif", np.where(hole, lowest, scene).astype(np.float32), nodata=lowest)
        assert main(["restore", "scene.tif", "--method", "laplace", "--workers", "0"]) == 0
        assert "nodata value -3.4028234663852886e+38" in capsys.readouterr().out
        assert not caplog.records

    @pytest.mark.parametrize("name", ["inside.tif", "beside.tif"])
    def test_the_mask_of_the_file(self, name, scene, hole, capsys):
        values = np.where(hole, 0, scene).astype(np.float32)
        written(name, values, mask=hole)
        assert (both(name)[hole] > 900).all()
        assert main(["restore", name, "--workers", "0", "-o", "filled.tif"]) == 0
        said = capsys.readouterr().out
        assert "Took the file's own mask for missing" in said
        assert ("Its mask is in beside.tif.msk." in said) == (name == "beside.tif")
        with rasterio.open("filled.tif") as filled:
            assert filled.read(1)[hole].min() > 900
            np.testing.assert_array_equal(filled.read(1)[~hole], values[~hole])
            assert (filled.dataset_mask() == 255).all()

    def test_the_mask_of_the_file_and_another_one(self, scene, hole):
        own = np.roll(hole, 15, axis=0)
        written("scene.tif", np.where(own | hole, 0, scene).astype(np.int16), mask=own)
        tifffile.imwrite("mask.tif", hole.astype(np.uint8))
        assert both("scene.tif", "--mask", "mask.tif").min() > 900

    def test_the_mask_of_the_file_and_a_nodata_value(self, scene, hole):
        own = np.roll(hole, 15, axis=0)
        written("scene.tif", np.where(hole, -9999, np.where(own, 0, scene)).astype(np.int16), mask=own, nodata=-9999)
        assert both("scene.tif").min() > 900

    def test_a_mask_of_its_own_that_is_not_taken_is_lost_with_a_warning(self, scene, hole, capsys):
        written("scene.tif", np.where(scene == scene[1, 1], np.nan, scene).astype(np.float32), mask=hole)
        assert main(["restore", "scene.tif", "--workers", "0", "--missing", "none", "-o", "filled.tif"]) == 0
        assert "does not hold what its source does: a mask of its own" in capsys.readouterr().err

    @pytest.mark.parametrize("interleave", ["pixel", "band"])
    def test_an_alpha_is_kept(self, interleave, hole):
        colours = np.stack([np.add.outer(np.arange(40), np.arange(50) * k) for k in (1, 2, 3)])
        alpha = np.where(hole, 0, 255)
        values = np.concatenate([np.where(hole, 0, colours), alpha[None]]).astype(np.uint8)
        written("scene.tif", values, photometric="rgb", alpha="yes", interleave=interleave)
        assert main(["restore", "scene.tif", "--workers", "0"]) == 2
        assert both("scene.tif", "--missing", "transparent").shape == ((40, 50, 4), (4, 40, 50))[interleave == "band"]
        mask = np.roll(hole, 12, axis=0)
        tifffile.imwrite("mask.tif", mask.astype(np.uint8))
        assert main(["restore", "scene.tif", "--workers", "0", "--mask", "mask.tif", "-o", "kept.tif"]) == 0
        with rasterio.open("kept.tif") as kept:
            assert [each.name for each in kept.colorinterp] == ["red", "green", "blue", "alpha"]
            np.testing.assert_array_equal(kept.read(4), alpha)

    def test_filled_pixels_that_alpha_hides_are_counted(self, scene, hole, capsys):
        """As in memory."""
        alpha = np.where(np.roll(hole, 5, axis=0), 0, 255)
        written("scene.tif", np.stack([scene % 256] * 3 + [alpha]).astype(np.uint8), photometric="rgb", alpha="yes")
        tifffile.imwrite("mask.tif", hole.astype(np.uint8))
        for more in ([], ["--workers", "0"]):
            assert main(["restore", "scene.tif", "--mask", "mask.tif", "-o", "filled.tif", "--overwrite", *more]) == 0
            said = capsys.readouterr().out
            assert "75 filled pixels are transparent, as before; --missing transparent shows such pixels." in said
        assert main(["restore", "scene.tif", "--missing", "transparent", "--workers", "0", "-o", "shown.tif"]) == 0
        assert "are transparent" not in capsys.readouterr().out

    def test_spacing_as_the_file_says(self, scene, hole):
        scene[hole] = -9999
        written("scene.tif", scene, nodata=-9999, transform=rasterio.transform.from_origin(4e5, 5e6, 10, 40))
        both("scene.tif")

    def test_bands_of_a_cog_are_not_taken_for_colours(self, scene, hole):
        written("plain.tif", np.stack([scene % 256] * 3).astype(np.uint8), photometric="minisblack")
        rasterio.shutil.copy("plain.tif", "scene.tif", driver="COG")
        tifffile.imwrite("mask.tif", hole.astype(np.uint8))
        assert main(["restore", "scene.tif", "--mask", "mask.tif", "--workers", "0", "-o", "filled.tif"]) == 0
        with rasterio.open("filled.tif") as file:
            assert [each.name for each in file.colorinterp] == ["gray", "undefined", "undefined"]

    def test_a_nodata_value_for_each_band_is_refused(self, scene, hole, capsys, tmp_path):
        written("scene.tif", np.stack([scene, scene]))
        said = "".join(
            f'<PAMRasterBand band="{k}"><NoDataValue>{1000 + k}</NoDataValue></PAMRasterBand>' for k in (1, 2)
        )
        (tmp_path / "scene.tif.aux.xml").write_text(f"<PAMDataset>{said}</PAMDataset>")
        tifffile.imwrite("mask.tif", hole.astype(np.uint8))
        assert main(["restore", "scene.tif", "--mask", "mask.tif", "--workers", "0"]) == 2
        assert "nodata values of their own: 1001.0, 1002.0. Save them as single files." in capsys.readouterr().err

    def test_the_mask_beside_the_file(self, scene, hole, capsys):
        written("scene.tif", scene)
        tifffile.imwrite("scene_mask.tif", hole.astype(np.uint8))
        both("scene.tif")
        assert main(["restore", "scene.tif", "--workers", "0", "-o", "again.tif"]) == 0
        assert "Took the mask scene_mask.tif for missing" in capsys.readouterr().out


class TestMasks:
    """Every mask is read as in memory."""

    @pytest.fixture(autouse=True)
    def bare(self, scene, hole):
        """Each value under the mask is one that no restored picture holds."""
        scene[hole] = 30_000
        written("scene.tif", scene)

    def grey(self, hole):
        return np.where(hole, 255, 0).astype(np.uint8)

    def test_black_and_white_as_zero_and_one(self, hole):
        tifffile.imwrite("mask.tif", hole.astype(np.uint8))
        assert both("scene.tif", "--mask", "mask.tif").max() < 3000

    def test_strokes_in_a_colour(self, hole):
        tifffile.imwrite("mask.tif", self.grey(hole)[..., None] * np.uint8([0, 1, 0]), photometric="rgb")
        written("scene.tif", np.where(hole, 30_000, 20_000).astype(np.int16))
        tifffile.imwrite("grey.tif", self.grey(hole))
        assert both("scene.tif", "--mask", "mask.tif").max() == 20_000

    def test_flags(self, hole):
        tifffile.imwrite("mask.tif", -hole.astype(np.int16))
        assert both("scene.tif", "--mask", "mask.tif").max() < 3000

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_a_soft_edge_and_a_threshold(self, dtype, hole):
        soft = np.where(hole, np.iinfo(dtype).max, 0).astype(dtype)
        soft[20, 15:30] = np.iinfo(dtype).max // 20
        tifffile.imwrite("mask.tif", soft)
        few = both("scene.tif", "--mask", "mask.tif")
        many = both("scene.tif", "--mask", "mask.tif", "--mask-threshold", "10", "--overwrite")
        before = tifffile.imread("scene.tif")
        assert (few[20] == before[20]).all()
        assert (many[20] != before[20]).any()

    def test_strokes_on_a_copy(self, hole, capsys):
        y, x = np.indices((40, 50))
        picture = (40 + 2 * y + x).astype(np.uint8)
        written("scene.tif", np.where(hole, 200, picture).astype(np.uint8))
        tifffile.imwrite("mask.tif", np.where(hole, 255, picture).astype(np.uint8))
        assert both("scene.tif", "--mask", "mask.tif").max() < 200
        assert capsys.readouterr().err.count("was taken for a copy of the photograph with strokes") == 2

    def test_a_layer_with_strokes(self, hole, capsys):
        layer = np.zeros((40, 50, 4), np.uint8)
        layer[hole] = 200, 30, 30, 255
        tifffile.imwrite("mask.tif", layer, photometric="rgb", extrasamples=["unassalpha"])
        assert both("scene.tif", "--mask", "mask.tif").max() < 3000
        assert capsys.readouterr().err.count("was taken for a layer that is transparent but for strokes") == 2

    def test_inverted(self, hole):
        tifffile.imwrite("mask.tif", self.grey(~hole))
        assert both("scene.tif", "--mask", "mask.tif", "--invert-mask").max() < 3000

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16])
    def test_a_mask_that_marks_nothing_is_refused(self, dtype, tmp_path, capsys):
        tifffile.imwrite("mask.tif", np.zeros((40, 50), dtype))
        before = sorted(tmp_path.iterdir())
        assert main(["restore", "scene.tif", "--mask", "mask.tif", "--workers", "0"]) == 2
        assert "The mask mask.tif marks no pixel as missing" in capsys.readouterr().err
        assert sorted(tmp_path.iterdir()) == before

    def test_a_threshold_out_of_range(self, hole, capsys):
        tifffile.imwrite("mask.tif", self.grey(hole))
        with pytest.raises(SystemExit):
            main(["restore", "scene.tif", "--mask", "mask.tif", "--mask-threshold", "256", "--workers", "0"])
        assert "must be a number above 0, and of at most 255. Got '256' instead." in capsys.readouterr().err


class TestRefused:
    def same_words(self, name, capsys):
        """What is said in chunks is what is said in memory."""
        for more in (["--workers", "0"], []):
            assert main(["restore", name, "-o", "filled.tif", *more]) == 2
        once, again = capsys.readouterr().err.splitlines()
        assert once == again
        return once

    @pytest.mark.parametrize("photometric", ["palette", "minisblack"])
    def test_a_map_of_classes(self, photometric, hole, capsys):
        values = np.where(hole, 0, np.arange(40)[:, None] // 10 + 1).astype(np.uint8)
        with rasterio.open(
            "classes.tif",
            "w",
            driver="GTiff",
            dtype="uint8",
            count=1,
            height=40,
            width=50,
            nodata=0,
            **PLACE,
            **({"photometric": "palette"} if photometric == "palette" else {}),
        ) as file:
            if photometric == "minisblack":
                file.write(values, 1)
            file.write_colormap(1, {k: (30 * k, 0, 0, 255) for k in range(9)})
            if photometric == "palette":
                file.write(values, 1)
        with tifffile.TiffFile("classes.tif") as file:
            assert file.pages[0].photometric.name == photometric.upper()
        assert "it holds numbers of classes or of colours in a palette" in self.same_words("classes.tif", capsys)

    def test_cmyk(self, capsys):
        tifffile.imwrite("print.tif", np.zeros((40, 50, 4), np.uint8), photometric="separated")
        assert "it holds CMYK data" in self.same_words("print.tif", capsys)

    @pytest.mark.parametrize(
        ("values", "how", "said"),
        [
            (np.zeros((3, 40, 50), np.uint16), {"photometric": "minisblack"}, "QYX of shape (3, 40, 50), where"),
            (np.zeros((40, 50), np.uint8), {"photometric": "miniswhite"}, "MINISWHITE of 8 bits a sample, which"),
            (np.zeros((40, 50), bool), {"photometric": "minisblack"}, "MINISBLACK of 1 bit a sample, which"),
            (np.zeros((40, 50), np.uint8), {"extratags": [(274, 3, 1, 6, True)]}, "stored turned, by an orientation"),
            (np.zeros((40, 50), np.uint8), {}, "Give --mask FILE or --missing NUMBER"),
        ],
    )
    def test_what_is_read_in_memory_only(self, values, how, said, tmp_path, capsys):
        tifffile.imwrite("scene.tif", values, **how)
        assert main(["restore", "scene.tif", "--workers", "0"]) == 2
        assert said in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


class TestWritten:
    def test_a_file_like_its_source(self, scene, hole, tmp_path, capsys):
        scene[hole] = -9999
        size = {"count": 2, "height": 40, "width": 50, "dtype": "int16"}
        layout = {"compress": "deflate", "predictor": 2, "tiled": True, "blockxsize": 32, "blockysize": 16}
        with rasterio.open("scene.tif", "w", driver="GTiff", nodata=-9999, **size, **layout, **PLACE) as file:
            file.write(np.stack([scene, scene[::-1]]))
            file.update_tags(SEASON="summer", AREA_OR_POINT="Point")
            file.update_tags(2, SENSOR="b")
            file.update_tags(ns="OURS", NAME="value")
            file.scales, file.offsets, file.units = (0.1, 0.2), (5.0, 6.0), ("K", "m")
            file.descriptions = ("red", "blue")
        assert main(["restore", "scene.tif", "--workers", "0", "-o", "filled.tif"]) == 0
        assert not capsys.readouterr().err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["filled.tif", "scene.tif"]
        with rasterio.open("scene.tif") as before, rasterio.open("filled.tif") as after:
            assert after.profile == before.profile
            for band in (0, 1, 2):
                assert after.tags(band) == before.tags(band)
            for said in ("scales", "offsets", "units", "descriptions", "colorinterp", "tag_namespaces"):
                one, other = getattr(after, said), getattr(before, said)
                assert (one() if callable(one) else one) == (other() if callable(other) else other)
            for space in ("IMAGE_STRUCTURE", "OURS"):
                assert after.tags(ns=space) == before.tags(ns=space)

    def test_a_lossy_compression_is_not_used_again(self, hole):
        values = (100 + np.add.outer(np.arange(40), np.arange(50))).astype(np.uint8)
        written("scene.tif", np.stack([values] * 3), compress="jpeg", photometric="ycbcr", interleave="pixel")
        tifffile.imwrite("mask.tif", hole.astype(np.uint8))
        assert main(["restore", "scene.tif", "--workers", "0", "--mask", "mask.tif", "-o", "filled.tif"]) == 0
        with rasterio.open("scene.tif") as before, rasterio.open("filled.tif") as after:
            assert after.profile["compress"] == "deflate"
            np.testing.assert_array_equal(after.read()[:, ~hole], before.read()[:, ~hole])

    def test_what_is_lost_is_named(self, scene, hole, capsys):
        scene[hole] = -9999
        extra = [(42113, 2, 0, "-9999", True), (65000, 2, 0, "a note", True), (34675, 7, 4, b"icc!", True)]
        tifffile.imwrite("scene.tif", scene, extratags=extra)
        assert main(["restore", "scene.tif", "--workers", "0", "-o", "filled.tif"]) == 0
        said = capsys.readouterr().err
        assert "filled.tif does not hold what its source does: the tag " in said
        assert "InterColorProfile" in said
        assert "65000" in said

    def test_twelve_bits(self, scene, hole, capsys):
        written("scene.tif", np.where(hole, 4000, scene).astype(np.uint16), nodata=4000, nbits=12)
        both("scene.tif")
        assert main(["restore", "scene.tif", "--workers", "0", "-o", "filled.tif"]) == 0
        assert "12 bits a sample became 16, with the same values" in capsys.readouterr().out

    def test_control_points(self, scene, hole):
        scene[hole] = -9999
        points = [rasterio.control.GroundControlPoint(r, c, 10 * c, 10 * r) for r, c in ((0, 0), (0, 49), (39, 49))]
        written("scene.tif", scene, nodata=-9999, gcps=points, transform=None)
        assert main(["restore", "scene.tif", "--workers", "0", "-o", "filled.tif", "--quiet"]) == 0
        with rasterio.open("scene.tif") as before, rasterio.open("filled.tif") as after:
            assert [(p.row, p.col, p.x, p.y) for p in after.gcps[0]] == [
                (p.row, p.col, p.x, p.y) for p in before.gcps[0]
            ]
            assert after.gcps[1] == before.gcps[1]

    @pytest.mark.parametrize("left", ["cut off", "zeros"])
    def test_a_disk_that_is_full_when_the_file_is_closed(self, left, scene, hole, monkeypatch, tmp_path, capsys):
        """GDAL does not say so: a file cut off was 'done', with status 0."""
        from skinpaint.cli import chunked_raster

        opened = chunked_raster._dataset

        def lose(path):
            if Path(path).name.startswith("."):
                with open(path, "r+b") as file:
                    if left == "cut off":
                        file.truncate(3000)
                    else:
                        file.seek(2000)
                        file.write(bytes(400))
            return opened(path)

        monkeypatch.setattr(chunked_raster, "_dataset", lose)
        scene[hole] = -9999
        written("scene.tif", scene, nodata=-9999)
        assert main(["restore", "scene.tif", "--workers", "0", "-o", "filled.tif"]) == 2
        assert "filled.tif cannot be written: a part of it cannot be read back. Is the disk" in capsys.readouterr().err
        assert not [path.name for path in tmp_path.iterdir() if path.suffix == ".tif" and path.name != "scene.tif"]

    def test_several_windows(self, scene, hole, monkeypatch):
        from skinpaint.cli import chunked_raster

        monkeypatch.setattr(chunked_raster, "CHUNK", 16)
        monkeypatch.setattr(chunked_raster, "LEAST_CHUNK", 16)
        scene[hole] = -9999
        written("scene.tif", np.stack([scene, scene[::-1]]), nodata=-9999)
        both("scene.tif")
