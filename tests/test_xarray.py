"""Labelled arrays: names, coordinates, nodata and all that an array says survive, in memory and in chunks."""

import numpy as np
import pytest

from skinpaint import Inpainter, inpaint

xr = pytest.importorskip("xarray")
da = pytest.importorskip("dask.array")

import skinpaint.xarray as door  # noqa: E402

pytestmark = pytest.mark.usefixtures("small_tasks")


@pytest.fixture
def scene():
    y, x = np.indices((60, 70))
    values = (1000 + 200 * np.sin(y / 9) * np.cos(x / 7)).astype(np.int16)
    values[20:40, 15:50] = -9999
    return xr.DataArray(
        values,
        dims=("y", "x"),
        coords={
            "y": 5e6 - 20.0 * np.arange(60),
            "x": 4e5 + 10.0 * np.arange(70),
            "time": np.datetime64("2026-01-02", "ns"),
        },
        attrs={"_FillValue": -9999, "units": "m"},
        name="height",
    )


def expected(scene, **settings):
    mask = scene.values == -9999
    return inpaint(scene.values, mask, method="laplace", spacing=(20.0, 10.0), **settings)


@pytest.mark.parametrize("chunks", [None, {"y": 30, "x": 30}])
class TestBoth:
    """Backed by NumPy, and by dask."""

    def test_values_and_all_that_is_said(self, scene, chunks):
        scene = scene if chunks is None else scene.chunk(chunks)
        scene.encoding = {"scale_factor": 0.1, "dtype": "int16"}
        before = scene.copy(deep=True)
        filled = scene.skinpaint.inpaint()
        np.testing.assert_allclose(filled.values, expected(scene), atol=1)
        assert filled.dtype == scene.dtype
        xr.testing.assert_identical(filled.copy(data=scene.data), scene)  # coordinates, attributes, name
        assert filled.encoding == scene.encoding
        assert filled.chunks == scene.chunks
        xr.testing.assert_identical(scene, before)

    def test_the_byte_order_of_slices_comes_back(self, scene, chunks):
        cube = scene.astype(">i2").expand_dims(t=2)
        filled = (cube if chunks is None else cube.chunk(chunks)).skinpaint.inpaint()
        assert filled.dtype == filled.compute().dtype == cube.dtype

    def test_axes_that_are_named_are_not_asked_about(self, scene, chunks):
        """The question told to pass a channel_axis, which a labelled array refuses."""
        cube = xr.concat([scene[:, :40]] * 3, "z").drop_vars(["y", "x"])
        filled = (cube if chunks is None else cube.chunk(chunks)).skinpaint.inpaint(dim=("z", "y", "x"))
        assert not (filled == -9999).any()

    def test_each_time_on_its_own_with_one_mask_or_with_its_own(self, scene, chunks):
        cube = xr.concat([scene, scene.where(scene == -9999, scene + 50)], "t").astype(float)
        cube = cube.transpose("y", "t", "x")
        mask = scene == -9999
        mask.values[3:8, 3:8] = True
        cube, own = (cube, mask) if chunks is None else (cube.chunk(chunks), mask.chunk(25))
        filled = cube.skinpaint.inpaint(own)
        assert filled.dims == cube.dims
        assert filled.chunks == cube.chunks
        for t in range(2):
            one = inpaint(cube.isel(t=t).values, mask.values, method="laplace", spacing=(20.0, 10.0))
            np.testing.assert_allclose(filled.isel(t=t).values, one, atol=0.01)
        each = xr.concat([mask, mask[::-1].assign_coords(y=mask.y)], "t")
        np.testing.assert_allclose(
            cube.skinpaint.inpaint(each).isel(t=1).values,
            inpaint(cube.isel(t=1).values, each.isel(t=1).values, method="laplace", spacing=(20.0, 10.0)),
            atol=0.01,
        )

    def test_the_distance_is_in_units_of_the_coordinates(self, scene, chunks):
        numbers = scene.where(scene != -9999).astype(float)
        numbers = numbers if chunks is None else numbers.chunk(chunks)
        filled = numbers.skinpaint.inpaint(max_distance=45.0)
        want = inpaint(numbers.values, method="laplace", spacing=(20.0, 10.0), max_distance=45.0)
        np.testing.assert_array_equal(np.isnan(filled.values), np.isnan(want))
        assert np.isnan(want).any()

    @pytest.mark.parametrize(
        ("units", "shrunk"),
        [(("m", "km"), 1000), (("degrees_north", "degrees_east"), 1), (("m", None), 1), (("pixels", "pixels"), 1)],
    )
    def test_coordinates_in_several_units_are_brought_to_one(self, scene, chunks, units, shrunk):
        """The units were not looked at: 10 m beside 0.02 km were as 10 beside 0.02."""
        want = scene.skinpaint.inpaint(max_distance=45.0)
        scene = scene.assign_coords(x=scene.x / shrunk)
        for name, unit in zip(("y", "x"), units, strict=True):
            scene[name].attrs.update({} if unit is None else {"units": unit})
        array = scene if chunks is None else scene.chunk(chunks)
        np.testing.assert_allclose(array.skinpaint.inpaint(max_distance=45.0 / shrunk), want, atol=1)

    def test_nodata_beyond_the_distance_stays(self, scene, chunks):
        """What is left has the nodata value that the attributes name, as in skinpaint.inpaint; other damage is NaN."""
        floats = scene.astype(">f4").assign_attrs(_FillValue=-9999.0)
        mask = np.zeros(scene.shape, bool)
        mask[28:32, 25:40] = True
        floats.values[mask] = 77
        array = floats if chunks is None else floats.chunk(chunks)
        filled = array.skinpaint.inpaint(mask, max_distance=45.0)
        want = inpaint(floats, mask, method="laplace", spacing=(20.0, 10.0), max_distance=45.0, missing_values=-9999.0)
        assert (want == -9999).any()
        assert np.isnan(want).any()
        np.testing.assert_array_equal(filled == -9999, want == -9999)
        np.testing.assert_array_equal(np.isnan(filled), np.isnan(want))
        assert (filled.dtype, filled.chunks, filled.attrs) == (floats.dtype, array.chunks, floats.attrs)

    def test_a_dataset_variable_by_variable(self, scene, chunks):
        dataset = xr.Dataset({"a": scene, "b": scene.astype(float), "names": ("y", list("abc") * 20)}, attrs={"k": 1})
        dataset = dataset if chunks is None else dataset.chunk(chunks)
        filled = dataset.skinpaint.inpaint()
        np.testing.assert_allclose(filled.a.values, expected(scene), atol=1)
        np.testing.assert_allclose(filled.b.values, expected(scene), atol=1)
        xr.testing.assert_identical(filled.names, dataset.names)
        assert filled.attrs == {"k": 1}

    def test_integers_of_which_nothing_is_missing_are_kept(self, scene, chunks):
        labels = xr.DataArray(np.indices(scene.shape)[0], dims=("y", "x"))
        dataset = xr.Dataset({"height": scene, "labels": labels})
        dataset = dataset if chunks is None else dataset.chunk(chunks)
        filled = dataset.skinpaint.inpaint()
        np.testing.assert_allclose(filled.height.values, expected(scene), atol=1)
        xr.testing.assert_identical(filled.labels, dataset.labels)
        mask = xr.Dataset({"labels": labels == labels[7, 7]})
        again = dataset.assign(labels=dataset.labels.where(dataset.labels != 7, 99)).skinpaint.inpaint(mask)
        xr.testing.assert_allclose(again, filled, atol=1)  # if something is said, they are restored
        with pytest.raises(ValueError, match=r"'mask' parameter .*'height', 'labels'\. Got 'label' instead"):
            dataset.skinpaint.inpaint(mask.rename(labels="label"))

    @pytest.mark.parametrize("attribute", ["flag_values", "flag_masks"])
    def test_classes_are_not_interpolated(self, scene, chunks, attribute):
        """There is no land cover between 1 and 9: beside other variables it stays, alone it is refused."""
        cover = xr.where(scene == -9999, -1, xr.where(scene > 1000, 9, 1)).astype("int8")
        cover = cover.assign_attrs({attribute: [1, 9], "_FillValue": -1})
        dataset = xr.Dataset({"height": scene, "cover": cover})
        dataset = dataset if chunks is None else dataset.chunk(chunks)
        filled = dataset.skinpaint.inpaint()
        np.testing.assert_allclose(filled.height.values, expected(scene), atol=1)
        xr.testing.assert_identical(filled.cover, dataset.cover)
        with pytest.raises(ValueError, match="of a variable of numbers that are no classes"):
            dataset[["cover"]].skinpaint.inpaint()
        with pytest.raises(ValueError, match=r"'array' parameter must hold measured values.*Delete the attribute"):
            dataset.cover.skinpaint.inpaint()
        with pytest.raises(ValueError, match=r"'image' parameter must hold measured values.*Delete the attribute"):
            inpaint(dataset.cover.compute(), method="laplace")

    @pytest.mark.parametrize(("sign", "stored", "read"), [("true", "int16", "uint16"), ("false", "uint16", "int16")])
    def test_numbers_stored_with_another_sign_are_refused(self, scene, chunks, sign, stored, read):
        ramp = np.add.outer(np.arange(60), np.arange(70)) + (32700 if read == "uint16" else -60)
        hole = np.zeros(ramp.shape, bool)
        hole[20:30, 20:30] = True
        values = np.where(hole, -1000, ramp).astype(read).view(stored)
        raw = xr.DataArray(values, dims=("y", "x"), attrs={"_Unsigned": sign, "_FillValue": values[20, 20]})
        array = raw if chunks is None else raw.chunk(chunks)
        with pytest.raises(ValueError, match=r"'array' parameter must be decoded.* mask_and_scale=True") as refusal:
            array.skinpaint.inpaint()
        line = str(refusal.value).rpartition("pass ")[2].rstrip(".")
        filled = eval(line, {"xarray": xr, "array": array}).skinpaint.inpaint()
        np.testing.assert_allclose(filled, ramp, atol=0.5)
        with pytest.raises(ValueError, match=r"The 'image' parameter must be decoded"):
            inpaint(raw, method="laplace")


@pytest.mark.parametrize(
    ("where", "name"), [("attrs", "missing_value"), ("encoding", "_FillValue"), ("encoding", "missing_value")]
)
@pytest.mark.parametrize("raster", [False, True])
@pytest.mark.parametrize("value", [-9999, np.array([-9999], np.int16), [-9999, -32768]], ids=type)
def test_nodata_wherever_it_is_said(scene, where, name, raster, value):
    if raster:
        pytest.importorskip("rioxarray")
    del scene.attrs["_FillValue"]
    getattr(scene, where)[name] = value
    np.testing.assert_array_equal(scene.skinpaint.inpaint().values, expected(scene))
    np.testing.assert_array_equal(Inpainter("laplace").fit(scene).mask_, scene == -9999)
    assert getattr(scene, where)[name] is value


@pytest.mark.parametrize("where", ["attrs", "encoding"])
@pytest.mark.parametrize("value", [-9999, np.nan])
def test_nodata_that_the_dtype_cannot_hold_is_nowhere(scene, where, value):
    """astype keeps the attributes; rioxarray fails on them."""
    pytest.importorskip("rioxarray")
    bytes_ = scene.clip(0, 255).astype(np.uint8)
    bytes_.attrs.clear()
    getattr(bytes_, where)["_FillValue"] = value
    mask = np.zeros(scene.shape, bool)
    mask[15:25, 10:20] = True
    np.testing.assert_array_equal(
        inpaint(bytes_, mask, method="laplace").values, inpaint(bytes_.values, mask, method="laplace")
    )
    assert (bytes_.skinpaint.inpaint(mask).values == bytes_.values)[~mask].all()


@pytest.mark.parametrize("raster", [False, True])
@pytest.mark.parametrize("scale", [{"scale_factor": 0.01, "add_offset": -1.0}, {"add_offset": -100.0}])
def test_stored_nodata_says_nothing_about_scaled_values(raster, scale):
    if raster:
        pytest.importorskip("rioxarray")
    stored = np.add.outer(np.arange(40), np.arange(50)).astype(np.int16) + 60
    stored[5:9, 5:9] = 0
    stored[20, 20] = 100
    ndvi = xr.decode_cf(xr.Dataset({"ndvi": (("y", "x"), stored, {"_FillValue": 0, **scale})})).ndvi
    assert ndvi[20, 20] == 0  # which is known
    known = ~np.isnan(ndvi.values)
    assert known.sum() == 40 * 50 - 16
    for filled in (ndvi.skinpaint.inpaint(), inpaint(ndvi, method="laplace")):
        np.testing.assert_array_equal(filled.values[known], ndvi.values[known])
        assert np.isfinite(filled).all()


def test_the_status_says_that_a_plain_call_does_not_look_at_the_coordinates(scene):
    """Pixels of 20 m by 10 m were restored as square ones by skinpaint.inpaint, without a word."""
    inpainter = Inpainter("laplace").fit(scene)
    said = "The steps of its coordinates differ, 20, 10, and were taken for equal. Pass spacing=(20.0, 10.0), or use"
    assert said in inpainter.solution_.status
    told = Inpainter("laplace", spacing=(20.0, 10.0)).fit(scene)
    np.testing.assert_array_equal(told.restored_, scene.skinpaint.inpaint())
    square = scene.assign_coords(x=scene.x * 2)
    bands, once = scene.expand_dims(band=[1, 5]), scene.expand_dims(time=1)
    for name, image, spoken in (("laplace", square, False), ("laplace", bands, True), ("dct", scene, False)):
        assert ("coordinates differ" in Inpainter(name).fit(image).solution_.status) == spoken
    assert "Pass spacing=(1.0, 20.0, 10.0), or use" in Inpainter("laplace").fit(once).solution_.status
    assert "coordinates" not in told.solution_.status
    assert "Pass spacing=(0.02, 10.0)" in Inpainter("laplace").fit(_in_units(scene, y="m", x="km")).solution_.status


def _in_units(scene, **units):
    scene = scene.copy()
    for name, unit in units.items():
        scene[name].attrs["units"] = unit
    return scene


def test_a_mask_says_what_is_missing_beyond_nodata(scene):
    mask = np.zeros(scene.shape, bool)
    mask[15:25, 10:20] = True  # beside nodata values, which are no neighbours
    filled = scene.skinpaint.inpaint(mask)
    want = inpaint(scene.values, mask | (scene.values == -9999), method="laplace", spacing=(20.0, 10.0))
    np.testing.assert_array_equal(filled.values, want)
    other = scene.skinpaint.inpaint(mask, missing_values=-1)
    assert (other.values[26:40, 21:50] == -9999).all()


class TestLabelsOfAMask:
    """A mask is taken by its coordinates, as all arithmetic of xarray does it."""

    @pytest.fixture
    def mask(self, scene):
        mask = scene == -9999
        mask.values[3:6, 2:30] = True
        return mask

    @pytest.mark.parametrize("chunks", [None, {"y": 30, "x": 30}])
    @pytest.mark.parametrize("order", ["reversed", "rounded", "larger"])
    def test_any_order_is_the_same_mask(self, scene, mask, chunks, order):
        want = scene.skinpaint.inpaint(mask)
        assert not want.identical(scene.skinpaint.inpaint(mask.values[::-1]))
        other = mask[::-1, ::-1] if order != "larger" else mask.pad(x=2, constant_values=True)
        if order == "larger":
            other = other.assign_coords(x=scene.x.values[0] + 10.0 * np.arange(-2, 72))
        if order == "rounded":
            other = other.assign_coords(x=other.x + 1e-9)
        xr.testing.assert_identical(scene.skinpaint.inpaint(other), want)
        xr.testing.assert_identical(
            inpaint(scene, other, method="laplace"), inpaint(scene, mask.values, method="laplace")
        )
        if chunks is not None:
            np.testing.assert_allclose(scene.chunk(chunks).skinpaint.inpaint(other.chunk(20)), want, atol=1)

    def test_other_coordinates_are_refused(self, scene, mask):
        shifted = mask.assign_coords(x=mask.x + 5.0)
        for call in (scene.skinpaint.inpaint, lambda mask: inpaint(scene, mask, method="laplace")):
            with pytest.raises(
                ValueError, match=r"coordinates of the image along 'x'.* Pass mask\.values to ignore them"
            ):
                call(shifted)
            call(shifted.drop_vars("x"))  # without coordinates there is nothing to compare

    def test_repeated_coordinates_are_refused(self, scene, mask):
        twice = xr.concat([scene, scene], "y")
        longer = xr.concat([mask, mask], "y").assign_coords(y=5e6 - 20.0 * np.arange(120))
        with pytest.raises(ValueError, match=r"image along 'y', each once.* Pass mask\.values to ignore them"):
            inpaint(twice, longer, method="laplace")

    def test_a_mask_of_one_band_is_not_for_all_unless_it_says_so(self):
        """rioxarray opens a mask with a band, which is the first."""
        array = xr.DataArray(np.arange(60.0).reshape(3, 4, 5), dims=("band", "y", "x"), coords={"band": [1, 2, 3]})
        mask = array[:1] == 7
        with pytest.raises(ValueError, match=r"from 1 to 3\. Got 1 to 1 instead\. Pass mask\.squeeze\('band'\) if"):
            array.skinpaint.inpaint(mask)
        assert array.skinpaint.inpaint(mask.squeeze("band"), spacing=1).shape == array.shape


def test_a_scene_of_rioxarray(scene, tmp_path):
    rioxarray = pytest.importorskip("rioxarray")
    path = tmp_path / "scene.tif"
    scene.drop_vars("time").rio.write_crs("EPSG:32633").rio.write_nodata(-9999).rio.to_raster(path)
    for settings in ({}, {"masked": True}, {"chunks": {"y": 30, "x": 30}}):
        with rioxarray.open_rasterio(path, **settings) as read:
            filled = read.skinpaint.inpaint()
            np.testing.assert_allclose(filled.isel(band=0).values, expected(scene), atol=1)
            assert filled.rio.crs == read.rio.crs
            assert filled.rio.nodata == read.rio.nodata or np.isnan(filled.rio.nodata)
            assert filled.rio.encoded_nodata == read.rio.encoded_nodata
            assert filled.rio.transform() == read.rio.transform()
            filled.rio.to_raster(tmp_path / "filled.tif")
    with rioxarray.open_rasterio(tmp_path / "filled.tif") as again:
        assert again.rio.crs == "EPSG:32633"


def test_the_standard_deviation_is_a_variable_beside_the_fill(scene):
    stack = xr.concat([scene, scene + np.where(scene.values == -9999, 0, 7).astype(np.int16)], "time").transpose(
        "y", "time", "x"
    )
    both = stack.skinpaint.inpaint(return_std=True)
    assert list(both) == ["fill", "std"]
    xr.testing.assert_identical(both["fill"].rename("height"), stack.skinpaint.inpaint())
    assert both["std"].dims == stack.dims
    assert both["std"].attrs == {"units": "m"}
    for k in range(2):
        one = stack.isel(time=k)
        mask = one.values == -9999
        _, std = inpaint(one.values, mask, method="laplace", spacing=(20.0, 10.0), return_std=True)
        np.testing.assert_array_equal(both["std"].isel(time=k), std)
        assert ((std > 0) == mask).all()
    several = xr.Dataset({"height": scene, "name": ("band", [1, 2])}).skinpaint.inpaint(return_std=True)
    assert list(several) == ["height", "name", "height_std"]
    with pytest.raises(ValueError, match=r"return_std.*compute"):
        scene.chunk({"y": 30}).skinpaint.inpaint(return_std=True)


class TestRefused:
    @pytest.mark.parametrize(
        ("settings", "match"),
        [
            ({"dim": ("lat", "lon")}, r"'dim' parameter must name axes of the array, \('y', 'x'\)"),
            ({"mask": np.zeros((3, 3), bool)}, r"shape of the array, \(60, 70\).*Got shape \(3, 3\)"),
            (
                {"mask": xr.DataArray(np.zeros((60, 3), bool), dims=("y", "x"))},
                "as long as the array along 'x', 70. Got 3",
            ),
            ({"mask": xr.DataArray(np.zeros((60, 70), bool), dims=("y", "q"))}, "must have the axes"),
            ({"dim": ("y", "y")}, r"each once\. Got \('y', 'y'\)"),
            ({"channel_axis": 0, "spacing": 1}, "'channel_axis' parameter must be None for a labelled array"),
        ],
    )
    def test_names_and_masks(self, scene, settings, match):
        with pytest.raises(ValueError, match=match):
            scene.skinpaint.inpaint(**settings)

    @pytest.mark.parametrize("chunks", [None, {"y": 30}])
    def test_the_slice_is_named(self, scene, chunks):
        cube = xr.concat([scene, scene.where(False, -9999)], "t")
        cube = cube if chunks is None else cube.chunk(chunks)
        with pytest.raises(ValueError, match="at least one known pixel") as error:
            cube.skinpaint.inpaint()
        assert error.value.__notes__ == ["This is slice 1 along 't'."]
        with pytest.raises(ValueError, match=r"must not be empty\. Got shape \(0, 60, 70\)"):
            cube.isel(t=slice(0)).skinpaint.inpaint()

    def test_uneven_coordinates(self, scene):
        x = scene.x.values.copy()
        x[30:] += 3
        with pytest.raises(ValueError, match=r"The coordinate 'x' must be even\. Got steps from 10 to 13"):
            scene.assign_coords(x=x).skinpaint.inpaint()
        filled = scene.assign_coords(x=x).skinpaint.inpaint(spacing=(20.0, 10.0))
        np.testing.assert_array_equal(filled.values, expected(scene))

    @pytest.mark.parametrize(("start", "step"), [(5e6, 10.3), (170, 0.0089)])
    def test_coordinates_that_are_even_but_for_their_rounding(self, start, step, scene):
        """In single precision steps of 10.3 m are 10 or 10.5 m."""
        at = {"y": start - 2 * step * np.arange(60), "x": start + step * np.arange(70)}
        exact, rounded = (scene.assign_coords({n: v.astype(t) for n, v in at.items()}) for t in ("f8", "f4"))
        one, other = (array.skinpaint.inpaint(max_distance=4.5 * step).values for array in (rounded, exact))
        np.testing.assert_allclose(one, other, atol=1)

    @pytest.mark.parametrize("x", [[0, 1, np.inf], np.float32([1e8, 1e8 + 8, 1e8 + 24])])
    def test_coordinates_whose_steps_are_unknown(self, x):
        row = xr.DataArray([[0.0, np.nan, 1.0]], dims=("y", "x"), coords={"x": x})
        with pytest.raises(ValueError, match="The coordinate 'x' must be even"):
            row.skinpaint.inpaint()

    def test_coordinates_that_are_no_numbers(self, scene):
        with pytest.raises(ValueError, match=r"The coordinate 'y' must be numbers.*Pass spacing="):
            scene.assign_coords(y=np.arange(60).astype("datetime64[D]").astype("datetime64[ns]")).skinpaint.inpaint()

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"y": "m", "x": "degrees_east"}, "'y' and 'x' must be in units that can be compared. Got m and degrees"),
            ({"y": "km", "x": "pixels"}, "Got km and pixels instead. Pass spacing=, one number for each"),
        ],
    )
    def test_coordinates_in_units_that_cannot_be_compared(self, scene, change, match):
        for name, unit in change.items():
            scene[name].attrs["units"] = unit
        with pytest.raises(ValueError, match=match):
            scene.skinpaint.inpaint()
        np.testing.assert_array_equal(scene.skinpaint.inpaint(spacing=(20.0, 10.0)), expected(scene))

    def test_a_coordinate_along_one_axis_alone(self, scene):
        """Its step stood beside a 1 of no unit."""
        with pytest.raises(ValueError, match=r"or along none\. Got one along 'y', of step 20, and none along 'x'"):
            scene.drop_vars("x").skinpaint.inpaint()
        row = scene[30:31].assign_coords(x=1e6 * np.arange(70)).drop_vars("y")
        assert (row.skinpaint.inpaint() != -9999).all()  # an axis without neighbours needs none

    def test_what_is_no_labelled_array(self):
        with pytest.raises(TypeError, match=r"Use skinpaint\.inpaint for plain arrays"):
            door.inpaint(np.zeros((3, 3)))


@pytest.mark.parametrize("method", ["dct", "biharmonic"])
def test_other_methods_in_chunks(scene, method):
    """As in memory, in the array's chunks."""
    scene[20:40, 15:50] = 1000
    scene[28:36, 25:42] = -9999
    filled = scene.chunk({"y": 30, "x": 35}).skinpaint.inpaint(method=method)
    assert filled.chunks == ((30, 30), (35, 35))
    np.testing.assert_allclose(filled.values, scene.skinpaint.inpaint(method=method).values, atol=1)
