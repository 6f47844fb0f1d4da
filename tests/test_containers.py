"""Containers are understood with all that they say about their values, or refused with the line to type."""

import pickle
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from skinpaint import GuessedMaskWarning, Inpainter, Laplace, compare, inpaint
from skinpaint.damage import random_pixels

CAMERA = data.camera()[:40, :50]
DAMAGED, MASK = random_pixels(CAMERA, 0.5, rng=0)
EXPECTED = inpaint(DAMAGED, MASK, method="laplace")
fill = Inpainter("laplace").fit_restore


class TestAstropy:
    nddata = pytest.importorskip("astropy.nddata")
    units = pytest.importorskip("astropy.units")

    def test_a_frame_with_a_mask(self):
        frame = self.nddata.CCDData(
            DAMAGED.astype(np.float32), mask=MASK, unit="electron", meta={"EXPTIME": 30.0},
            uncertainty=self.nddata.StdDevUncertainty(np.ones(MASK.shape)),
        )  # fmt: skip
        restored = fill(frame)
        assert type(restored) is type(frame)
        np.testing.assert_allclose(restored.data, inpaint(DAMAGED.astype(np.float32), MASK, method="laplace"))
        assert (restored.unit, dict(restored.meta), restored.mask) == (frame.unit, dict(frame.meta), None)
        np.testing.assert_array_equal(np.isnan(restored.uncertainty.array), MASK)
        assert np.isfinite(frame.uncertainty.array).all()
        np.testing.assert_array_equal(frame.data, DAMAGED)

    @pytest.mark.parametrize("given", [2.0, np.float32(2), [2] * MASK.shape[1], np.full((MASK.shape[0], 1), 2, "i2")])
    def test_an_uncertainty_of_several_pixels_is_that_of_each(self, given):
        frame = self.nddata.NDData(DAMAGED, mask=MASK, uncertainty=self.nddata.StdDevUncertainty(given))
        restored = fill(frame)
        np.testing.assert_array_equal(restored.uncertainty.array, np.where(MASK, np.nan, 2))
        np.testing.assert_array_equal(frame.uncertainty.array, given)

    def test_what_is_left_stays_masked(self):
        wide = np.zeros((20, 20), bool)
        wide[4:16, 4:16] = True
        frame = self.nddata.NDData(np.ones((20, 20)), mask=wide)
        restored = Inpainter("laplace", max_distance=2).fit_restore(frame)
        assert type(restored) is self.nddata.NDData
        assert 0 < restored.mask.sum() < wide.sum()

    def test_no_mask_is_no_mask(self):
        assert fill(self.nddata.NDData(CAMERA.astype(float))).mask is None

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_a_quantity_keeps_its_unit(self, dtype):
        image = self.units.Quantity(DAMAGED.astype(dtype), "m", dtype=dtype)
        restored = fill(image, MASK)
        assert restored.unit == self.units.m
        assert restored.dtype == dtype
        np.testing.assert_array_equal(restored.value, inpaint(DAMAGED.astype(dtype), MASK, method="laplace"))

    def test_longitudes_begin_anew_where_they_did(self):
        from astropy.coordinates import Longitude

        image = Longitude([-20.0, -10.0, 77.0, 10.0], "deg", wrap_angle=180 * self.units.deg)
        image.info.description = "east of Greenwich"
        restored = fill(image, [0, 0, 1, 0])
        assert (type(restored), restored.info.description) == (Longitude, "east of Greenwich")
        np.testing.assert_array_equal(restored.value, [-20, -10, 0, 10])
        assert image.value.tolist() == [-20, -10, 77, 10]

    @pytest.mark.parametrize("name", ["NDData", "NDDataRef", "NDDataArray", "CCDData"])
    def test_every_class_keeps_what_it_holds(self, name):
        from astropy.wcs import WCS

        options = {"unit": "adu", "wcs": WCS(naxis=2), "meta": {"a": 1}, "psf": np.ones((3, 3))}
        frame = getattr(self.nddata, name)(DAMAGED.astype(float), mask=MASK, **options)
        restored = fill(frame)
        assert type(restored) is type(frame)
        assert (restored.unit, restored.meta, restored.mask) == (frame.unit, {"a": 1}, None)
        assert restored.wcs is not None
        np.testing.assert_array_equal(restored.psf, frame.psf)

    def test_classes_that_are_made_in_another_way_are_refused(self):
        class Map(self.nddata.NDData):
            def __init__(self, data, header):
                super().__init__(data)

        with pytest.raises(
            TypeError, match=r"must not be a Map.*Pass image\.data, and image\.mask as the mask instead"
        ):
            fill(Map(DAMAGED.astype(float), {}))

    def test_columns(self):
        from astropy.table import Column, MaskedColumn

        line = Column([0.0, np.nan, 2.0], unit="m", name="depth")
        restored = fill(line)
        assert (type(restored), restored.unit, restored.name) == (Column, line.unit, "depth")
        assert list(restored) == [0, 1, 2]
        with pytest.raises(TypeError, match=r"must not be a MaskedColumn.*Pass numpy\.ma\.asarray\(image\) instead"):
            fill(MaskedColumn(line, mask=[False, True, False]))

    def test_a_mask_in_a_container_is_refused(self):
        with pytest.raises(TypeError, match=r"The 'mask' parameter must not be an astropy NDData. Pass mask\.mask"):
            fill(CAMERA, self.nddata.NDData(MASK))

    def test_a_mask_of_another_shape_in_the_container_is_refused(self):
        frame = self.nddata.NDData(np.ones((6, 7, 3)), mask=np.eye(6, 7, dtype=bool))
        with pytest.raises(ValueError, match=r"own shape \(6, 7, 3\).* Got a mask of shape \(6, 7\) instead\."):
            fill(frame)

    def test_masked_arrays_of_astropy_are_refused(self):
        from astropy.utils.masked import Masked

        with pytest.raises(TypeError, match=r"Pass image\.unmasked, and image\.mask as the mask instead"):
            fill(Masked(DAMAGED, mask=MASK))
        with pytest.raises(TypeError, match=r"a MaskedQuantity.*Pass image\.unmasked, and image\.mask as the mask"):
            fill(Masked(DAMAGED * self.units.m, mask=MASK))


class TestXarray:
    xarray = pytest.importorskip("xarray")

    def test_coordinates_and_attributes_are_kept(self):
        image = self.xarray.DataArray(
            np.where(MASK, np.nan, DAMAGED),
            dims=("y", "x"),
            coords={"y": np.arange(40.0)},
            attrs={"units": "K"},
            name="t",
        )
        restored = fill(image)
        assert restored.attrs == image.attrs
        assert restored.name == "t"
        np.testing.assert_array_equal(restored["y"], image["y"])
        np.testing.assert_allclose(restored, inpaint(np.where(MASK, np.nan, DAMAGED), method="laplace"))

    @pytest.mark.parametrize("name", ["_FillValue", "missing_value", "nodata"])
    def test_a_nodata_value_is_missing(self, name):
        image = self.xarray.DataArray(
            np.where(MASK, -9999, DAMAGED.astype(np.int16)), dims=("y", "x"), attrs={name: -9999}
        )
        inpainter = Inpainter("laplace").fit(image)
        np.testing.assert_array_equal(inpainter.mask_, MASK)
        np.testing.assert_array_equal(inpainter.restored_, EXPECTED)

    def test_a_nodata_value_stays_where_nothing_was_filled(self):
        line = np.array([1, -9999, -9999, -9999, np.nan, -9999, -9999, 2], np.float32)
        image = self.xarray.DataArray(line, dims="x", attrs={"nodata": -9999})
        restored = Inpainter("laplace", max_distance=1).fit_restore(image)
        left = [-9999, -9999, np.nan, -9999]
        np.testing.assert_array_equal(restored.to_numpy()[2:6], np.array(left, np.float32))
        assert np.isfinite(restored.to_numpy()[[1, 6]]).all()

    def test_values_with_a_unit_are_refused_and_keep_it_along_dim(self):
        units = pytest.importorskip("astropy.units")
        image = self.xarray.DataArray(np.where(MASK, np.nan, DAMAGED) * units.m, dims=("y", "x"))
        if not hasattr(image.data, "unit"):
            pytest.skip("this version of xarray drops the unit itself")
        way_out = r"Pass image\.copy\(data=image\.data\.value\) instead"
        with pytest.raises(TypeError, match=rf"must not be an xarray DataArray of astropy Quantity.*{way_out}"):
            fill(image)  # the answer had no unit
        from skinpaint.xarray import inpaint as along

        assert along(image).data.unit == units.m

    def test_a_nodata_value_of_rioxarray_is_missing(self):
        pytest.importorskip("rioxarray")
        image = self.xarray.DataArray(np.where(MASK, 255, np.minimum(DAMAGED, 254))[None], dims=("band", "y", "x"))
        image = image.rio.write_nodata(255)
        inpainter = Inpainter("laplace").fit(image)
        np.testing.assert_array_equal(inpainter.mask_.squeeze(), MASK)
        assert inpainter.restored_.rio.nodata == 255

    def test_the_axis_of_the_bands_is_known_by_name(self):
        bands = np.stack([DAMAGED, 255 - DAMAGED])
        image = self.xarray.DataArray(bands, dims=("band", "y", "x"))
        np.testing.assert_array_equal(fill(image, MASK), inpaint(bands, MASK, method="laplace", channel_axis=0))
        mask = self.xarray.DataArray(MASK.T, dims=("x", "y"))
        np.testing.assert_array_equal(fill(image, mask), inpaint(bands, MASK, method="laplace", channel_axis=0))

    def test_an_axis_of_time_is_asked_about(self):
        image = self.xarray.DataArray(np.stack([np.where(MASK, np.nan, DAMAGED)] * 2), dims=("time", "y", "x"))
        with pytest.warns(GuessedMaskWarning, match=r"Axis 0 is 'time'.* Pass channel_axis=0"):
            fill(image)
        Inpainter("laplace", channel_axis=0).fit(image)

    def test_an_axis_of_time_beside_bands_is_asked_about_as_well(self):
        image = self.xarray.DataArray(np.stack([[DAMAGED] * 2] * 2), dims=("time", "band", "y", "x"))
        mask = np.broadcast_to(MASK[:, :, None], (*MASK.shape, 2)).transpose(2, 0, 1)
        with pytest.warns(GuessedMaskWarning, match=r"Axis 0 is 'time'.* Pass image\.isel\(time=k\)"):
            fill(image, mask)

    def test_named_axes_are_not_asked_about(self):
        volume = np.stack([DAMAGED] * 3)
        mask = np.stack([MASK] * 3)
        fill(self.xarray.DataArray(volume, dims=("z", "y", "x")), mask)
        with pytest.warns(GuessedMaskWarning, match="Is axis 0 that of colours"):
            fill(self.xarray.DataArray(volume), mask)

    def test_a_mask_of_other_axes_is_refused(self):
        image = self.xarray.DataArray(CAMERA, dims=("y", "x"))
        with pytest.raises(ValueError, match=r"axes of the image, \('y', 'x'\). Got \('lat', 'lon'\) instead"):
            fill(image, self.xarray.DataArray(MASK, dims=("lat", "lon")))

    def test_a_dataset_is_refused(self):
        with pytest.raises(
            TypeError, match=r"'mask' parameter must not be a xarray Dataset. Pass one of its variables"
        ):
            fill(CAMERA, self.xarray.Dataset({"t": (("y", "x"), MASK)}))
        with pytest.raises(TypeError, match=r"a xarray Dataset.*Pass one of its variables, image\[name\], instead"):
            fill(self.xarray.Dataset({"t": (("y", "x"), CAMERA)}))


class TestDask:
    dask = pytest.importorskip("dask.array")

    def test_chunks_have_a_door_of_their_own(self):
        restored = fill(self.dask.from_array(DAMAGED), MASK)
        np.testing.assert_array_equal(restored.compute(), EXPECTED)
        with pytest.raises(TypeError, match=r"Pass image\.compute\(\) instead"):
            compare(self.dask.from_array(DAMAGED), MASK)

    def test_labelled_chunks_are_refused(self):
        xarray = pytest.importorskip("xarray")
        with pytest.raises(TypeError, match=r"Use skinpaint\.xarray\.inpaint\(image\), or pass image\.compute\(\)"):
            fill(xarray.DataArray(self.dask.from_array(CAMERA), dims=("y", "x")))
        with pytest.raises(TypeError, match=r"Pass mask\.compute\(\) instead"):
            fill(CAMERA, self.dask.from_array(MASK))


class TestPillow:
    def test_pictures_come_back_as_pictures(self):
        colours = np.stack([DAMAGED, 255 - DAMAGED, DAMAGED // 2], axis=-1)
        image = Image.fromarray(colours)
        image.info["dpi"] = (300, 300)
        restored = fill(image, Image.fromarray(MASK))
        assert restored.mode == "RGB"
        assert restored.info == image.info
        np.testing.assert_array_equal(restored, inpaint(colours, MASK, method="laplace", channel_axis=-1))

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
    def test_grey_of_every_depth(self, dtype):
        restored = fill(Image.fromarray(DAMAGED.astype(dtype)), MASK)
        assert isinstance(restored, Image.Image)
        np.testing.assert_array_equal(restored, inpaint(DAMAGED.astype(dtype), MASK, method="laplace"))

    @pytest.mark.parametrize(
        ("mode", "line"),
        [
            ("P", r'convert\("RGB"\)'),
            ("CMYK", r'convert\("RGB"\)'),
            ("RGBA", r"\[\.\.\., 3\] == 0"),
            ("1", r'convert\("L"\)'),
            ("I;16B", r'convert\("I"\)'),
        ],
    )
    def test_other_modes_are_refused(self, mode, line):
        with pytest.raises(TypeError, match=rf"must not be a PIL image of mode {mode}.*{line}"):
            fill(Image.new(mode, (50, 40)), MASK)

    def test_a_mask_with_colours_is_refused(self):
        with pytest.raises(TypeError, match=r'must not be a PIL image of mode RGB. Pass mask.convert\("L"\)'):
            fill(CAMERA, Image.new("RGB", (50, 40)))

    def test_compare_and_score_understand_them(self):
        image = Image.fromarray(np.stack([DAMAGED] * 3, axis=-1))
        assert compare(image, MASK, ["laplace", "biharmonic"], rng=0).channel_axis == 2
        assert Inpainter("laplace", missing_values=(0, 255)).score(image) > 10
        assert Inpainter("laplace", missing_values=(0, 255)).fit(image)._repr_html_()


class TestPandas:
    pandas = pytest.importorskip("pandas")

    def test_labels_are_kept(self):
        table = self.pandas.DataFrame(np.where(MASK, np.nan, DAMAGED), columns=[f"c{i}" for i in range(50)])
        table.attrs["unit"] = "m"
        restored = fill(table)
        assert restored.attrs == {"unit": "m"}
        assert list(restored.columns) == list(table.columns)
        np.testing.assert_array_equal(restored, inpaint(table.to_numpy(), method="laplace"))
        line = self.pandas.Series([0.0, np.nan, 2.0], index=["a", "b", "c"], name="depth")
        self.pandas.testing.assert_series_equal(
            fill(line), self.pandas.Series([0.0, 1.0, 2.0], index=["a", "b", "c"], name="depth")
        )

    def test_a_mask_follows_the_labels(self):
        table = self.pandas.DataFrame([[1.0, 50.0, 3.0], [4.0, 60.0, 6.0]], index=[7, 8], columns=list("abc"))
        mask = self.pandas.DataFrame([[False] * 3, [True, False, False]], index=[8, 7], columns=list("bac"))
        restored = inpaint(table, mask, method="laplace")
        assert restored.loc[7, "b"] != 50
        assert restored.drop(columns="b").equals(table.drop(columns="b"))
        assert restored.loc[8, "b"] == 60
        line, marked = table["b"], self.pandas.Series([True, False], index=[8, 7])
        assert inpaint(line, marked, method="laplace").to_list() == [50, 50]
        others = mask.rename(columns={"a": "z"}), self.pandas.DataFrame(mask.to_numpy(), index=[7, 8])
        for other in others:
            with pytest.raises(ValueError, match=r"labels of the image along its columns.*Pass mask\.to_numpy\(\)"):
                inpaint(table, other, method="laplace")
        days = self.pandas.Series([1.0, np.nan, 3.0], index=self.pandas.date_range("2026-01-01", periods=3))
        with pytest.raises(ValueError, match="labels of the image along its index"):
            inpaint(days, self.pandas.Series([False, True, False]), method="laplace")

    @pytest.mark.parametrize("what", [lambda table: table, lambda table: table["a"]], ids=["table", "line"])
    def test_repeated_labels(self, what):
        """As pandas.concat leaves them: a mask with the same labels goes by position, any other one is refused."""
        part = self.pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
        image, mask = self.pandas.concat([part, part + 10]), np.zeros((6, 2), bool)
        mask[4] = True
        marked = self.pandas.DataFrame(mask, image.index, image.columns)
        restored = inpaint(what(image), what(marked), method="laplace")
        np.testing.assert_array_equal(
            restored, inpaint(what(image).to_numpy(), what(marked).to_numpy(), method="laplace")
        )
        for other in (marked.reset_index(drop=True), marked.iloc[3:], marked[::-1]):
            with pytest.raises(ValueError, match=r"labels of the image along its index.*Pass mask\.to_numpy\(\)"):
                inpaint(what(image), what(other), method="laplace")

    def test_a_mask_with_more_labels(self):
        image = self.pandas.DataFrame(np.eye(3))
        mask = self.pandas.DataFrame(np.arange(12).reshape(4, 3) > 8)
        with pytest.raises(ValueError, match=r"along its index.*Got 4 for 3, of which some are others"):
            inpaint(image, mask, method="laplace")

    @pytest.mark.parametrize("dtypes", [{"a": "Int64", "b": "Int64"}, {"a": "float64", "b": "int64"}])
    def test_tables_of_several_kinds_are_refused(self, dtypes):
        with pytest.raises(TypeError, match=r"a pandas DataFrame of the dtypes .*Pass image\.astype\(float\) instead"):
            fill(self.pandas.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}).astype(dtypes))


@pytest.mark.parametrize("settings", [{}, {"noise": 0.5}])
def test_a_fit_of_a_container_can_be_pickled_and_asked(settings, rng):
    pandas = pytest.importorskip("pandas")
    frame, mask = pandas.DataFrame(rng.random((20, 25))), rng.random((20, 25)) < 0.3
    inpainter = Inpainter(Laplace(**settings)).fit(frame, mask=mask)
    again = pickle.loads(pickle.dumps(inpainter))
    pandas.testing.assert_frame_equal(again.restore(), inpainter.restore())
    np.testing.assert_array_equal(np.asarray(again.std()), np.asarray(inpainter.std()))


class Labelled(np.ndarray):
    """As NumPy's documentation says how to carry attributes along."""

    def __array_finalize__(self, other):
        self.label = getattr(other, "label", None)


def test_classes_made_from_ndarray_keep_their_attributes():
    image = DAMAGED.view(Labelled)
    image.label = "a scan"
    restored = fill(image, MASK)
    assert (type(restored), restored.label) == (Labelled, "a scan")
    np.testing.assert_array_equal(np.asarray(restored), EXPECTED)
    np.testing.assert_array_equal(np.asarray(image), DAMAGED)


class Anything:
    def __array__(self, dtype=None, copy=None):
        return CAMERA.astype(dtype)


class Tensor(Anything):
    pass


class Units(np.ndarray):
    units = "K"


def test_anything_else_is_refused(monkeypatch):
    with pytest.raises(
        TypeError, match=r"must not be a .*Anything, which would lose .*Pass numpy\.asarray\(image\) instead"
    ):
        fill(Anything(), MASK)
    with pytest.raises(TypeError, match=r"must not be a Units.*Pass image\.value instead"):
        fill(CAMERA.view(Units), MASK)
    monkeypatch.setitem(sys.modules, "torch", sys.modules[__name__])
    with pytest.raises(TypeError, match=r"must not be a torch Tensor.*image\.numpy\(force=True\)"):
        fill(Tensor(), MASK)
    with pytest.raises(
        TypeError, match=r"'mask' parameter must not be a torch Tensor. Pass mask\.numpy\(force=True\) in"
    ):
        fill(CAMERA, Tensor())


@pytest.mark.parametrize("kind", [np.ndarray, np.memmap])
def test_arrays_are_arrays(kind, tmp_path):
    image = DAMAGED if kind is np.ndarray else np.memmap(tmp_path / "a", np.uint8, "w+", shape=DAMAGED.shape)
    image[...] = DAMAGED
    assert type(fill(image, MASK)) is np.ndarray


class TestWhatIsNoImage:
    def test_a_path(self, tmp_path):
        for path in ("photo.png", tmp_path / "photo.png"):
            with pytest.raises(
                TypeError, match=r"Got the path '.*photo\.png' instead. Read it first: .*skinpaint\.io\.read"
            ):
                fill(path)
        with pytest.raises(TypeError, match=r"The 'mask' parameter .*Read it first: mask = skinpaint\.io\.read_mask"):
            fill(CAMERA, "mask.png")

    def test_none(self):
        with pytest.raises(TypeError, match=r"Got None instead.*imread returns None"):
            fill(None)

    @pytest.mark.parametrize("thing", [b"bytes", {}, {1, 2}, object()])
    def test_other_things(self, thing):
        with pytest.raises(TypeError, match=rf"must be an array. Got a {type(thing).__name__} instead\.$"):
            fill(thing)

    def test_a_mask_with_a_last_axis_of_one(self):
        with pytest.raises(ValueError, match=r"Got shape \(40, 50, 1\) instead. Pass mask\[\.\.\., 0\]"):
            fill(CAMERA, MASK[..., None])
        with pytest.raises(ValueError, match=r"Pass mask\[\.\.\., 0\]"):
            Inpainter("laplace", channel_axis=-1).fit(np.stack([CAMERA] * 3, axis=-1), mask=MASK[..., None])
