"""What the file of a mask says beside its values: which axes it has, where it is, and which values say nothing."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from skinpaint.cli import main


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def smooth(*shape):
    """A stack whose planes differ, and that has no two equal axes but the first ones."""
    grids = np.indices(shape)
    return (1000 + sum((k + 2) * 150 * np.sin(grid / (3 + k) + k) for k, grid in enumerate(grids))).astype(np.uint16)


def holes(count, shape=(16, 18)):
    """A hole in each of several planes, at another place."""
    mask = np.zeros((count, *shape), bool)
    for k in range(count):
        mask[k, 3 + 3 * k : 6 + 3 * k, 4 : 8 + k] = True
    return mask


def filled(image, where, *arguments, status=0):
    """What is known in a file afterwards, and where it was filled: nowhere but where it should be."""
    assert main(["restore", image, "-o", "out.tif", "--overwrite", "--method", "laplace", *arguments]) == status
    before, after = tifffile.imread(image), tifffile.imread("out.tif")
    np.testing.assert_array_equal(before != after, np.broadcast_to(where, before.shape))


def ome(name, values, axes):
    tifffile.imwrite(name, values.astype(np.uint8) * 255 if values.dtype == bool else values, metadata={"axes": axes})


def stored(name, values, axes, zarr_format=3):
    """Write a zarr array in chunks whose axes have names."""
    pytest.importorskip("dask")
    zarr = pytest.importorskip("zarr")
    values = values.astype(np.uint8) if values.dtype == bool else values
    named = {"dimension_names": list(axes)} if zarr_format == 3 else {}
    chunks = (1,) * (values.ndim - 2) + (8, 8)
    made = zarr.create_array(
        name, shape=values.shape, dtype=values.dtype, chunks=chunks, zarr_format=zarr_format, **named
    )
    made[...] = values
    if zarr_format == 2:
        made.attrs["_ARRAY_DIMENSIONS"] = list(axes)


def opened(name):
    return pytest.importorskip("zarr").open_array(name)[...]


class TestAxes:
    """Lengths alone do not tell: the stacks have as many frames as channels or planes."""

    @pytest.mark.parametrize(
        ("of_image", "of_mask"),
        [("TCYX", "CYX"), ("TCYX", "TYX"), ("TZYX", "TYX"), ("TZYX", "ZYX"), ("CZYX", "CYX")],
    )
    def test_a_mask_is_spread_over_the_axes_that_it_does_not_have(self, of_image, of_mask):
        where = np.expand_dims(holes(3), next(k for k, letter in enumerate(of_image) if letter not in of_mask))
        ome("image.ome.tif", np.where(where, 0, smooth(3, 3, 16, 18)).astype(np.uint16), of_image)
        ome("mask.ome.tif", holes(3), of_mask)
        filled("image.ome.tif", where, "--mask", "mask.ome.tif")

    def test_axes_in_another_order(self):
        where = np.stack([holes(3), holes(3)[::-1], holes(3)])
        ome("image.ome.tif", np.where(where, 0, smooth(3, 3, 16, 18)).astype(np.uint16), "TCYX")
        ome("mask.ome.tif", where.swapaxes(0, 1), "CTYX")
        filled("image.ome.tif", where, "--mask", "mask.ome.tif")

    def test_the_user_says_what_the_axes_of_the_image_are(self):
        where = holes(3)[None]
        np.save("image.npy", np.where(where, 0, smooth(3, 3, 16, 18)).astype(np.uint16))
        ome("mask.ome.tif", holes(3), "CYX")
        assert main(["restore", "image.npy", "--axes", "TCYX", "--mask", "mask.ome.tif", "--method", "laplace"]) == 0
        changed = np.load("image-restored.npy") != np.load("image.npy")
        np.testing.assert_array_equal(changed, np.broadcast_to(where, changed.shape))

    def test_letters_that_are_wrong_in_both_files(self):
        """ImageJ says Z for T, or T for Z; --axes corrects both."""
        ome("image.ome.tif", np.where(holes(3), 0, smooth(3, 16, 18)).astype(np.uint16), "TYX")
        ome("mask.ome.tif", holes(3), "TYX")
        filled("image.ome.tif", holes(3), "--mask", "mask.ome.tif", "--axes", "ZYX")

    @pytest.mark.parametrize("letter", ["C", "Z"])
    def test_pages_of_a_stack_have_several_names(self, letter):
        """ImageJ has no name but these for the pages of a mask."""
        ome("image.ome.tif", np.where(holes(3), 0, smooth(3, 16, 18)).astype(np.uint16), "TYX")
        ome("mask.ome.tif", holes(3), f"{letter}YX")
        filled("image.ome.tif", holes(3), "--mask", "mask.ome.tif")

    def test_a_plain_stack_goes_by_its_lengths(self):
        where = holes(3)[:, None]
        ome("image.ome.tif", np.where(where, 0, smooth(3, 3, 16, 18)).astype(np.uint16), "TCYX")
        tifffile.imwrite("mask.tif", holes(3).astype(np.uint8), photometric="minisblack")
        filled("image.ome.tif", where, "--mask", "mask.tif")

    @pytest.mark.parametrize(
        ("axes", "shape"), [("TYX", (3, 16, 18)), ("CZYX", (3, 3, 16, 18)), ("CYX", (2, 16, 18)), ("CYX", (3, 1, 18))]
    )
    def test_axes_that_do_not_fit_are_refused(self, axes, shape, capsys):
        ome("image.ome.tif", smooth(3, 3, 16, 18), "ZCYX" if axes == "TYX" else "TCYX")
        ome("mask.ome.tif", np.ones(shape, bool), axes)
        assert main(["restore", "image.ome.tif", "--mask", "mask.ome.tif"]) == 2
        said = capsys.readouterr().err
        assert f"The mask has shape {shape} on the axes {axes}, and the image (3, 3, 16, 18) on" in said
        assert "save it as a plain TIFF or .npy" in said

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_a_zarr_array_with_x_first(self, zarr_format):
        where = holes(1, (16, 16))[0]
        image = np.where(where, 0, smooth(16, 16)).astype(np.float32)
        stored("image.zarr", image, "yx", zarr_format)
        stored("mask.zarr", where.T, "xy", zarr_format)
        assert main(["restore", "image.zarr", "--mask", "mask.zarr", "-o", "out.zarr", "--missing", "none"]) == 0
        np.testing.assert_array_equal(opened("out.zarr") != image, where)

    def test_axes_of_length_one(self):
        """OME-Zarr keeps all five."""
        where = np.broadcast_to(holes(1), (2, 16, 18))
        image = np.where(where, 0, smooth(2, 16, 18)).astype(np.float32)
        stored("image.zarr", image, "zyx")
        stored("mask.zarr", holes(1)[None, None], "tczyx")
        assert main(["restore", "image.zarr", "--mask", "mask.zarr", "-o", "out.zarr"]) == 0
        np.testing.assert_array_equal(opened("out.zarr") != image, where)


class TestNodata:
    """A mask of clouds with values 0 and 1, and 255 where the satellite saw nothing."""

    @pytest.fixture
    def clouds(self):
        values = holes(1)[0].astype(np.uint8)
        values[:, 12:] = 255
        return values

    def written(self, values, nodata):
        tifffile.imwrite("image.tif", smooth(16, 18).astype(np.float32), metadata=None)
        tags = [(42113, "s", 0, str(nodata), True)]
        tifffile.imwrite("mask.tif", values, metadata=None, extratags=tags, rowsperstrip=8)

    @pytest.mark.parametrize("chunks", [[], ["--workers", "0"]], ids=["in memory", "in chunks"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
    def test_a_nodata_value_of_the_mask_marks_nothing(self, dtype, chunks, clouds, capsys):
        if chunks:
            pytest.importorskip("rasterio")
        self.written(clouds.astype(dtype), 255)
        filled("image.tif", clouds == 1, "--mask", "mask.tif", *chunks)
        said = "The mask mask.tif says nothing of 96 pixels, which were taken for known. Its file states the nodata"
        assert said in capsys.readouterr().err

    @pytest.mark.parametrize("chunks", [[], ["--workers", "0"]], ids=["in memory", "in chunks"])
    def test_so_does_nan_where_it_is_the_nodata_value(self, chunks, clouds, capsys):
        if chunks:
            pytest.importorskip("rasterio")
        self.written(np.where(clouds == 255, np.nan, clouds).astype(np.float32), "nan")
        filled("image.tif", clouds == 1, "--mask", "mask.tif", *chunks)
        assert "says nothing of 96 pixels, which were taken for known. Its file states" in capsys.readouterr().err

    def test_nor_does_it_in_a_mask_of_what_is_valid(self, clouds):
        self.written(clouds, 255)
        filled("image.tif", clouds == 0, "--mask", "mask.tif", "--invert-mask")

    def test_nodata_that_is_0_is_black_as_ever(self, clouds, capsys):
        self.written(clouds, 0)
        filled("image.tif", clouds == 255, "--mask", "mask.tif")
        filled("image.tif", clouds != 255, "--mask", "mask.tif", "--invert-mask")
        assert "nodata" not in capsys.readouterr().err

    @pytest.mark.parametrize("dtype", [np.uint8, np.int16])
    def test_a_mask_with_nothing_else_is_refused(self, dtype, capsys):
        """Programs copy the nodata value of the scene to its mask."""
        self.written(255 * holes(1)[0].astype(dtype), 255)
        assert main(["restore", "image.tif", "--mask", "mask.tif"]) == 2
        said = capsys.readouterr().err
        assert "marks no pixel as missing" in said
        assert (
            "the nodata value 255, and where it holds that, it marks nothing. If it should, take the statement" in said
        )

    def test_colours_are_nodata_if_all_of_them_are(self):
        """A red stroke has one 255."""
        values = np.zeros((16, 18, 3), np.uint8)
        values[2:5, 3:9] = 255, 0, 0
        values[:, 12:] = 255
        self.written(values, 255)
        filled(
            "image.tif",
            np.pad(np.ones((3, 6), bool), ((2, 11), (3, 9))),
            "--mask",
            "mask.tif",
            "--mask-threshold",
            "60",
        )


class TestWhiteIsZero:
    """What is seen as bright is missing, also in a raster, whose values are kept."""

    def written(self, values, **tags):
        tifffile.imwrite("image.tif", smooth(16, 18).astype(np.float32), metadata=None)
        tags = [(33550, "d", 3, (1.0, 1.0, 0.0), True), *tags.values()]
        tifffile.imwrite("mask.tif", values, photometric="miniswhite", metadata=None, extratags=tags)

    @pytest.mark.parametrize("values", [(255, 0), (1, 0), (65535, 0), (True, False)], ids=str)
    def test_a_mask(self, values):
        dtype = bool if values[0] is True else np.uint16 if values[0] > 255 else np.uint8
        self.written(np.where(holes(1)[0], values[1], values[0]).astype(dtype))
        filled("image.tif", holes(1)[0], "--mask", "mask.tif")

    def test_a_mask_with_a_nodata_value(self):
        values = np.where(holes(1)[0], 0, 255).astype(np.uint8)
        values[:, 12:] = 7
        self.written(values, nodata=(42113, "s", 0, "7", True))
        filled("image.tif", holes(1)[0], "--mask", "mask.tif")

    def test_strokes_on_a_copy_of_such_a_raster(self):
        values = np.where(holes(1)[0], 90, smooth(16, 18) // 8).astype(np.uint8)
        self.written(np.where(holes(1)[0], 255, values).astype(np.uint8))
        Path("mask.tif").rename("copy.tif")
        self.written(values)
        Path("mask.tif").rename("image.tif")
        filled("image.tif", holes(1)[0], "--mask", "copy.tif")


class TestPlace:
    """Both files are GeoTIFF: what is in a row and a column of both must be the same ground."""

    SCALE = (33550, "d", 3, (10.0, 10.0, 0.0), True)
    UTM = (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633), True)

    def at(self, x, y, column=0.0, row=0.0):
        return (33922, "d", 6, (column, row, 0.0, x, y, 0.0), True)

    def written(self, *tags):
        place = [self.SCALE, self.at(5e5, 46e5), self.UTM]
        tifffile.imwrite("image.tif", smooth(16, 18).astype(np.float32), metadata=None, extratags=place)
        tifffile.imwrite("mask.tif", holes(1)[0].astype(np.uint8), metadata=None, extratags=tags)

    @pytest.mark.parametrize("chunks", [[], ["--workers", "0"]], ids=["in memory", "in chunks"])
    def test_a_mask_of_a_place_further_east_is_refused(self, chunks, capsys):
        if chunks:
            pytest.importorskip("rasterio")
        self.written(self.SCALE, self.at(5e5 + 30, 46e5), self.UTM)
        assert main(["restore", "image.tif", "--mask", "mask.tif", *chunks]) == 2
        said = capsys.readouterr().err
        assert (
            "mask.tif must be on the same ground as image.tif, pixel by pixel. Its file places it up to 3 pixels"
            in said
        )
        assert "Warp it to the grid of the image first, for example with gdalwarp" in said

    def test_an_image_that_is_said_to_have_no_rows_has_no_place(self, capsys):
        place = [self.SCALE, self.at(5e5, 46e5), self.UTM]
        self.written(*place)
        volume = {"metadata": None, "photometric": "minisblack", "extratags": place}
        tifffile.imwrite("image.tif", smooth(2, 16, 18).astype(np.float32), **volume)
        assert main(["restore", "image.tif", "--mask", "mask.tif", "--axes", "TZX", "--method", "laplace"]) == 0
        assert "substring" not in capsys.readouterr().err

    def test_a_mask_that_is_stored_from_south_to_north_is_refused(self, capsys):
        south_up = (10.0, 0.0, 0.0, 5e5, 0.0, 10.0, 0.0, 46e5 - 160, *[0.0] * 7, 1.0)
        self.written((34264, "d", 16, south_up, True), self.UTM)
        assert main(["restore", "image.tif", "--mask", "mask.tif"]) == 2
        assert "places it up to 16 pixels away" in capsys.readouterr().err

    def test_a_mask_in_other_coordinates_is_refused(self, capsys):
        degrees = (*self.UTM[3][:-4], 2048, 0, 1, 4326)
        self.written(self.SCALE, self.at(5e5, 46e5), (*self.UTM[:3], degrees, True))
        assert main(["restore", "image.tif", "--mask", "mask.tif"]) == 2
        assert "places it in other coordinates, EPSG:4326. Warp it" in capsys.readouterr().err

    def test_the_same_place_in_other_words(self):
        matrix = (10.0, 0.0, 0.0, 5e5, 0.0, -10.0, 0.0, 46e5, *[0.0] * 7, 1.0)
        middles = (*self.UTM[3][:11], 2, *self.UTM[3][12:])
        for tags in (
            [(34264, "d", 16, matrix, True), self.UTM],
            [self.SCALE, self.at(5e5 + 50.001, 46e5 - 40, 5, 4)],
            [self.SCALE, self.at(5e5 + 5, 46e5 - 5), (*self.UTM[:3], middles, True)],
            [self.SCALE],
        ):
            self.written(*tags)
            filled("image.tif", holes(1)[0], "--mask", "mask.tif")

    @pytest.mark.parametrize("down", [1.0, -1.0])
    def test_numbers_of_rows_and_columns_are_no_place(self, down):
        """rioxarray writes them for an array without coordinates, and QGIS for a picture without a place."""
        numbers = (1.0, 0.0, 0.0, -0.5, 0.0, down, 0.0, -0.5, *[0.0] * 7, 1.0)
        self.written((34264, "d", 16, numbers, True), self.UTM)
        filled("image.tif", holes(1)[0], "--mask", "mask.tif")

    def test_what_gdal_takes_from_tags_that_disagree(self):
        """A scale goes before a matrix, its sign says nothing, and a code may be that of no coordinates."""
        undefined = (*self.UTM[:3], (*self.UTM[3][:-1], 0), True)
        elsewhere = (34264, "d", 16, (1.0, 0.0, 0.0, 7.0, 0.0, 1.0, 0.0, 7.0, *[0.0] * 7, 1.0), True)
        negative = (*self.SCALE[:3], (10.0, -10.0, 0.0), True)
        for tags in ([self.SCALE, undefined], [self.SCALE, elsewhere], [negative]):
            self.written(self.at(5e5, 46e5), *tags)
            filled("image.tif", holes(1)[0], "--mask", "mask.tif")
