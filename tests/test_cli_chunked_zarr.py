"""The command line on zarr stores: which axes they have, what is missing, and what is kept beside the image."""

from pathlib import Path

import numpy as np
import pytest

from skinpaint import inpaint
from skinpaint.cli import main
from skinpaint.containers import NODATA_NAMES

pytest.importorskip("dask")
zarr = pytest.importorskip("zarr")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scene():
    y, x = np.indices((40, 50))
    return (1000 + 200 * np.sin(y / 9) * np.cos(x / 7)).astype(np.float32)


@pytest.fixture
def hole():
    hole = np.zeros((40, 50), bool)
    hole[10:20, 15:40] = True
    return hole


def stored(name, values, chunks=(20, 25), **more):
    chunks = (1,) * (values.ndim - 2) + chunks
    array = zarr.create_array(name, shape=values.shape, chunks=chunks, dtype=values.dtype, **more)
    array[...] = values
    return array


def restored(*arguments):
    assert main(["restore", *arguments, "-o", "filled.zarr", "--quiet"]) == 0
    return zarr.open_array("filled.zarr")[...]


class TestAxes:
    @pytest.fixture
    def stack(self, scene, hole):
        return np.stack([np.where(hole, np.nan, scene), np.full_like(scene, 50_000)]).astype(np.float32)

    def alone(self, stack):
        return np.stack([inpaint(each, method="laplace") if np.isnan(each).any() else each for each in stack])

    @pytest.mark.parametrize("names", [["c", "y", "x"], ["time", "lat", "lon"], ["band", "row", "column"]])
    def test_channels_and_frames_are_restored_each_on_its_own(self, names, stack):
        stored("scene.zarr", stack, dimension_names=names)
        np.testing.assert_allclose(restored("scene.zarr"), self.alone(stack), rtol=1e-5)

    def test_names_in_an_attribute(self, stack):
        stored("scene.zarr", stack, zarr_format=2).attrs["_ARRAY_DIMENSIONS"] = ["time", "y", "x"]
        np.testing.assert_allclose(restored("scene.zarr"), self.alone(stack), rtol=1e-5)

    def test_a_volume_of_three_slices_is_not_taken_for_colours(self, scene, hole, capsys):
        values = np.stack([np.where(hole, np.nan, scene)] * 3).astype(np.float32)
        stored("scene.zarr", values, dimension_names=list("zyx"))
        assert np.isfinite(restored("scene.zarr")).all()
        assert capsys.readouterr().err == ""

    def test_a_mask_for_each_channel(self, scene, hole):
        masks = np.stack([hole, np.roll(hole, 12, axis=0)])
        stored(
            "scene.zarr",
            np.where(masks, 0, np.stack([scene, scene + 500])).astype(np.float32),
            dimension_names=list("cyx"),
        )
        stored("mask.zarr", masks.astype(np.uint8), dimension_names=list("cyx"))
        filled = restored("scene.zarr", "--mask", "mask.zarr")
        np.testing.assert_array_equal(filled != zarr.open_array("scene.zarr")[...], masks)

    def test_a_mask_of_a_kind_that_is_not_read_in_chunks(self, scene, hole, capsys):
        pytest.importorskip("rasterio")
        stored("scene.zarr", scene)
        pytest.importorskip("tifffile").imwrite("mask.tif", hole)
        assert main(["restore", "scene.zarr", "--mask", "mask.tif"]) == 2
        assert "converted in chunks. Leave --workers out if the image is a TIFF, or save this file as a zarr array" in (
            capsys.readouterr().err
        )

    @pytest.mark.parametrize("version", ["0.4", "0.5"])
    def test_names_in_the_multiscales_of_ome(self, version, stack):
        group = zarr.create_group("scene.zarr")
        array = group.create_array("0", shape=stack.shape, chunks=(1, 20, 25), dtype=stack.dtype)
        array[...] = stack
        scales = [{"axes": [{"name": name} for name in "cyx"], "datasets": [{"path": "0"}]}]
        group.attrs.update({"multiscales": scales} if version == "0.4" else {"ome": {"multiscales": scales}})
        for source in ("scene.zarr", "scene.zarr/0"):
            assert main(["restore", source, "-o", "filled.zarr", "--overwrite", "--quiet"]) == 0
            filled = zarr.open("filled.zarr")
            found = filled["0"] if source == "scene.zarr" else filled
            np.testing.assert_allclose(found[...], self.alone(stack), rtol=1e-5)

    @pytest.mark.parametrize("version", ["0.4", "0.5"])
    @pytest.mark.parametrize(
        ("scale", "of_all", "z_unit", "said"),
        [
            ([1, 5, 0.5, 0.5], None, "micrometer", "Spacing Z 10, Y 1, X 1, as the file says."),
            ([1, 1, 1, 1], [1, 3, 1, 1], "micrometer", "Spacing Z 3, Y 1, X 1, as the file says."),
            ([1, 5, 0.5, 0.5], [1, 2, 1, 1], "micrometer", "Spacing Z 20, Y 1, X 1, as the file says."),
            ([1, 5000, 0.5, 0.5], None, "nanometer", "Spacing Z 10, Y 1, X 1, as the file says."),
            ([1, 0, 0.5, 0.5], None, "micrometer", ""),
            (None, None, "micrometer", ""),
        ],
    )
    def test_spacing_by_the_scale_of_ome(self, version, scale, of_all, z_unit, said, rng, capsys):
        values = rng.normal(size=(1, 4, 12, 12)).cumsum(axis=2).astype(np.float32)
        values[:, 1:3, 3:9, 3:9] = np.nan
        group = zarr.create_group("scene.zarr")
        group.create_array("0", shape=values.shape, chunks=(1, 4, 12, 12), dtype=values.dtype)[...] = values
        axes = [{"name": name, "unit": z_unit if name == "z" else "micrometer"} for name in "czyx"]
        of_level, of_levels = (
            {} if each is None else {"coordinateTransformations": [{"type": "scale", "scale": each}]}
            for each in (scale, of_all)
        )
        scales = [{"axes": axes, "datasets": [{"path": "0", **of_level}], **of_levels}]
        group.attrs.update({"multiscales": scales} if version == "0.4" else {"ome": {"multiscales": scales}})
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 0
        printed = capsys.readouterr().out
        assert said in printed if said else "Spacing" not in printed
        depth = float(said.split()[2].strip(",")) if said else 1.0
        want = inpaint(values[0], method="laplace", spacing=(depth, 1, 1))
        np.testing.assert_allclose(zarr.open("filled.zarr")["0"][0], want, atol=1e-4)

    @pytest.mark.parametrize(
        ("change", "spacing", "said"),
        [
            ({}, (3, 1), "Spacing Y 3, X 1, as the file says."),
            ({"units": "dm"}, (3, 10), "Spacing Y 1, X 3.333, as the file says."),
            ({"units": "degrees"}, None, "Got degrees and m instead. Give --spacing, one number for each"),
            ({"scale_factor": 0.5}, (1.5, 1), "Spacing Y 1.5, X 1, as the file says."),
            ({"steps": [0, 1]}, None, ""),
            ({"steps": [1, 1]}, None, ""),
        ],
    )
    def test_spacing_by_the_coordinates_of_xarray(self, change, spacing, said, scene, hole, capsys):
        group, values = zarr.create_group("scene.zarr"), np.where(hole, np.nan, scene)
        for name, n, step in (("y", 40, -30), ("x", 50, 10)):
            at = group.create_array(name, shape=(n,), dtype="f8", dimension_names=[name])
            at[...] = np.arange(n) * step + 5000
            at.attrs["units"] = "m"
        first, second = change.pop("steps", [-30, -30])
        group["y"][:2] = group["y"][2] - np.array([first + second, second])
        group["y"].attrs.update(change)
        named = {"dtype": values.dtype, "dimension_names": ["y", "x"]}
        group.create_array("red", shape=values.shape, chunks=(20, 25), **named)[...] = values
        refused, ignored = spacing is None, []
        if refused:
            assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 2
            assert (said or "The coordinate 'y' must be even. Got steps from ") in (error := capsys.readouterr().err)
            assert ("" if said else "give --spacing 1 to ignore") in error
            ignored, said = ["--spacing", "1"], ""
        assert main(["restore", "scene.zarr", "-o", "filled.zarr", *ignored]) == 0
        printed = capsys.readouterr().out
        assert said in printed if said else "Spacing" not in printed
        want = inpaint(values, method="laplace", spacing=spacing)
        np.testing.assert_allclose(zarr.open("filled.zarr")["red"][...], want, atol=2e-3)

    @pytest.mark.parametrize(
        ("factor", "said"),
        [
            (None, "scene.zarr/y cannot be read: it is damaged ("),
            ("half", "scene.zarr/y cannot be read: it is damaged (could not convert string to float: 'half')"),
            (0, "The coordinate 'y' must be even. Got steps from 0 to 0 instead"),
        ],
    )
    def test_coordinates_that_cannot_be_read(self, factor, said, scene, hole, capsys):
        """zarr's RuntimeError came through, and a ZeroDivisionError."""
        group = zarr.create_group("scene.zarr")
        for name, values in (("y", np.arange(40.0)), ("x", np.arange(50.0)), ("red", np.where(hole, np.nan, scene))):
            named = ["y", "x"] if name == "red" else [name]
            group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=named)[...] = values
        if factor is None:
            (tmp := Path("scene.zarr/y/c/0")).write_bytes(tmp.read_bytes()[:9])
        else:
            group["y"].attrs["scale_factor"] = factor
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 2
        assert said in capsys.readouterr().err
        assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--spacing", "1"]) == 0

    @pytest.mark.parametrize("names", [None, ["member", "y", "x"], ["y", "y", "x"]])
    def test_axes_that_are_not_named_have_to_be_given(self, names, stack, capsys):
        stored("scene.zarr", stack, dimension_names=names)
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 2
        assert "Name them, as in --axes TCZYX" in capsys.readouterr().err
        np.testing.assert_allclose(restored("scene.zarr", "--axes", "TYX"), self.alone(stack), rtol=1e-5)

    def test_a_frame_that_misses_nothing_leaves_the_bound_of_the_others(self, stack, capsys):
        stored("scene.zarr", stack, dimension_names=["t", "y", "x"])
        assert main(["restore", "scene.zarr"]) == 0
        assert "No value is further than" in capsys.readouterr().out

    def test_several_axes_of_frames(self, stack):
        stack = np.stack([stack, stack[::-1], stack])
        stored("scene.zarr", stack, dimension_names=["t", "c", "y", "x"])
        want = np.stack([self.alone(each) for each in stack])
        np.testing.assert_allclose(restored("scene.zarr"), want, rtol=1e-5)

    def test_frames_in_the_last_axis_and_a_mask_for_all(self, scene, hole, capsys):
        stack = np.stack([scene, 2 * scene[::-1]], axis=-1)
        array = zarr.create_array("scene.zarr", shape=stack.shape, chunks=(20, 25, 2), dtype=stack.dtype)
        array[...] = stack
        stored("mask.zarr", hole)
        assert main(["restore", "scene.zarr", "--mask", "mask.zarr", "--axes", "YXT", "-o", "filled.zarr"]) == 0
        want = np.stack([inpaint(stack[..., k], hole, method="laplace") for k in range(2)], axis=-1)
        np.testing.assert_allclose(zarr.open_array("filled.zarr")[...], want, rtol=1e-5)
        assert "2 frames along time (T), each on its own" in capsys.readouterr().out

    def test_a_volume(self, stack):
        stack[1] = 0
        stored("scene.zarr", stack)
        want = inpaint(stack, method="laplace")
        np.testing.assert_allclose(restored("scene.zarr", "--axes", "ZYX"), want, rtol=1e-3)

    def test_a_frame_that_cannot_be_restored_is_named(self, stack, tmp_path, capsys):
        stack[1] = np.nan
        stored("scene.zarr", stack, dimension_names=["t", "y", "x"])
        assert main(["restore", "scene.zarr"]) == 2
        assert "scene.zarr, frame 2 of 2: The image must have at least one" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["scene.zarr"]


def _packed(mask):
    """With rows that are stored as other numbers."""
    mask = mask.copy()
    mask["y"].encoding = {"dtype": "i2", "scale_factor": -20.0, "add_offset": 5e6, "_FillValue": -1}
    return mask


class TestOfXarray:
    @pytest.fixture
    def dataset(self, scene, hole):
        xarray = pytest.importorskip("xarray")
        values = np.where(hole, -9999, scene)
        coordinates = {"y": np.arange(40.0), "x": np.arange(50.0)}
        return xarray.Dataset({"heat": (("y", "x"), values, {"units": "K"})}, coordinates, {"title": "a scene"})

    @pytest.mark.parametrize("dtype", ["f4", "i2"])
    @pytest.mark.parametrize("version", [2, 3])
    def test_nodata_values_and_all_that_is_beside(self, version, dtype, dataset, scene, hole, capsys):
        import xarray

        dataset["heat"] = dataset["heat"].astype(dtype)
        encoding = {"heat": {"_FillValue": np.dtype(dtype).type(-9999), "chunks": (20, 25)}}
        dataset.to_zarr("scene.zarr", zarr_format=version, consolidated=version == 2, encoding=encoding)
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 0
        said = capsys.readouterr()
        assert "Took the file's nodata value -9999 for missing" in said.out
        assert not said.err
        before, after = zarr.open_group("scene.zarr")["heat"], zarr.open_group("filled.zarr")["heat"]
        assert str(after.metadata) == str(before.metadata)  # NaN is not NaN
        np.testing.assert_allclose(after[...], inpaint(before[...], hole, method="laplace"), rtol=1e-5, atol=1)
        filled = xarray.open_zarr("filled.zarr", consolidated=version == 2).compute()
        assert filled.attrs == dataset.attrs
        assert filled["heat"].attrs == {"units": "K"}
        assert list(filled["y"].values) == list(dataset["y"].values)
        assert not filled["heat"].isnull().any()

    @pytest.mark.parametrize(
        ("at", "said"),
        [
            ({"y": 20.0, "x": 10.0}, "Spacing Z 1, Y 2, X 1, as the file says."),
            ({"z": 7.0, "y": 20.0, "x": 10.0}, "Spacing Z 1, Y 2, X 1, as the file says."),
            ({"y": 20.0}, "Got one along 'y', of step 20, and none along 'x' instead. Give --spacing, one number"),
            ({"y": 1.0}, ""),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Consolidated metadata")
    def test_coordinates_along_some_of_the_axes(self, at, said, scene, hole, capsys):
        """Beside an axis of length 1, and beside one without a coordinate, steps were ignored without a word."""
        import xarray

        values = np.where(hole, np.nan, scene)[None]
        at = {name: step * np.arange(values.shape["zyx".index(name)]) for name, step in at.items()}
        xarray.Dataset({"heat": (("z", "y", "x"), values)}, at).to_zarr("scene.zarr")
        refused = said.startswith("Got")
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == (2 if refused else 0)
        printed = capsys.readouterr()
        assert said in (printed.err if refused else printed.out)
        assert ("Spacing" in printed.out) == said.startswith("Spacing")
        if refused:
            assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--spacing", "1"]) == 0

    @pytest.mark.parametrize(
        ("change", "away"),
        [
            (lambda mask: mask, ""),
            (lambda mask: mask.assign_coords(y=mask.y + 1e-3), ""),
            (lambda mask: mask.drop_vars("x"), ""),
            (lambda mask: _packed(mask), ""),
            (lambda mask: mask[::-1], "up to 40 pixels away"),
            (lambda mask: mask.assign_coords(x=mask.x + 20), "up to 2 pixels away"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Consolidated metadata")
    def test_a_mask_that_lies_elsewhere_by_its_coordinates(self, dataset, hole, change, away, capsys):
        """One whose rows go up was taken upside down: known pixels were filled, and missing ones left."""
        import xarray

        at = {"y": 5e6 - 20.0 * np.arange(40), "x": 4e5 + 10.0 * np.arange(50)}
        dataset.assign_coords(at).to_zarr("scene.zarr")
        mask = xarray.DataArray(hole.astype("u1"), at, dims=("y", "x"), name="mask")
        change(mask).to_dataset().to_zarr("mask.zarr")
        status = main(["restore", "scene.zarr", "--mask", "mask.zarr", "-o", "filled.zarr"])
        error = capsys.readouterr().err
        assert status == (2 if away else 0), error
        assert away in error
        if away:
            assert "The mask mask.zarr must be on the same ground as scene.zarr, pixel by pixel." in error

    def test_a_fill_value_that_is_no_number(self, scene, capsys):
        stored("scene.zarr", scene).attrs["_FillValue"] = "nothing"
        assert main(["restore", "scene.zarr"]) == 2
        assert "must be a number of float32. Got 'nothing'. Give --missing NUMBER" in capsys.readouterr().err
        assert main(["restore", "scene.zarr", "--missing", f"{scene[3, 4]:.9g}"]) == 0

    @pytest.mark.parametrize("name", NODATA_NAMES)
    def test_a_nodata_value_has_the_names_that_it_has_in_labelled_arrays(self, name, scene, hole):
        """That of `nodata`, which odc and others write, was taken for known where a mask or NaN marked the rest."""
        marked = np.roll(hole, 12, axis=0)
        values = np.where(marked, np.nan, np.where(hole, -9999, scene)).astype(np.float32)
        stored("scene.zarr", values).attrs.update({"missing_value": None, name: -9999.0})
        np.testing.assert_allclose(restored("scene.zarr"), inpaint(values, hole, method="laplace"), rtol=1e-5)


def test_the_array_is_like_its_source(scene, hole):
    names = ["y", "x"]
    before = stored("scene.zarr", np.where(hole, np.nan, scene), dimension_names=names, fill_value=-1, zarr_format=3)
    restored("scene.zarr")
    assert zarr.open_array("filled.zarr").metadata == before.metadata


@pytest.mark.parametrize(
    ("attribute", "says"),
    [({"flag_values": [1, 9]}, "holds classes"), ({"_Unsigned": "true"}, "stand for numbers of another sign")],
)
def test_numbers_that_must_not_be_interpolated_are_refused(attribute, says, scene, hole, capsys):
    stored("scene.zarr", scene.astype(np.int16)).attrs.update(attribute)
    stored("mask.zarr", hole.astype(np.int8)).attrs.update(
        {"flag_values": [0, 1]}
    )  # a mask may say what its numbers are
    assert main(["restore", "scene.zarr", "--mask", "mask.zarr", "-o", "filled.zarr"]) == 2
    assert says in capsys.readouterr().err
    stored("plain.zarr", scene.astype(np.int16))
    assert main(["restore", "plain.zarr", "--mask", "mask.zarr", "-o", "filled.zarr"]) == 0


def test_a_fill_value_that_is_no_nodata_value_is_named(scene, capsys):
    stored("scene.zarr", scene.astype(np.int16), fill_value=-9999)
    assert main(["restore", "scene.zarr"]) == 2
    assert "Its fill_value is -9999; --missing=-9999 takes that for missing" in capsys.readouterr().err
    stored("floats.zarr", np.where(scene > 1100, -9999, scene), fill_value=-9999)
    assert main(["restore", "floats.zarr", "--missing=-9999"]) == 0
    assert "fill_value" not in capsys.readouterr().out


def test_one_of_several_images(scene, hole, tmp_path, capsys):
    group = zarr.create_group("scene.zarr", attributes={"title": "two"})
    for name in ("red", "blue"):
        array = group.create_array(name, shape=scene.shape, chunks=(20, 25), dtype=scene.dtype)
        array[...] = np.where(hole, np.nan, scene)
    assert main(["restore", "scene.zarr"]) == 2
    assert "holds 2 images, blue and red. Name one of them, as in scene.zarr/blue" in capsys.readouterr().err
    assert main(["restore", "scene.zarr/red"]) == 0
    lost = "does not hold what its source does: the attributes of its group and what else is in its group (blue)"
    assert lost in capsys.readouterr().err
    want = inpaint(np.where(hole, np.nan, scene), method="laplace")
    np.testing.assert_allclose(zarr.open_array("scene-red-restored.zarr")[...], want, rtol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene-red-restored.zarr", "scene.zarr"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scene.zarr/red", "-o", "scene.zarr", "--overwrite"], "scene.zarr exists, and is an input"),
        (["scene.zarr/red", "-o", "scene.zarr/filled.zarr"], "-o must not be inside an input"),
        (["scene.zarr/red", "-o", "filled.zarr", "--mask", "filled.zarr"], "There is no mask filled.zarr"),
        (["empty.zarr"], "holds no array of two or more axes"),
        (["folder.zarr"], "is no zarr store"),
        (["scene.zarr", "--missing", "saturated"], "--missing must be auto, transparent, none or numbers"),
    ],
)
def test_bad_stores(arguments, said, scene, hole, tmp_path, capsys):
    array = zarr.create_group("scene.zarr").create_array("red", shape=scene.shape, chunks=(20, 25), dtype="f4")
    array[...] = np.where(hole, np.nan, scene)
    zarr.create_group("empty.zarr")
    (tmp_path / "folder.zarr").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert main(["restore", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ('{"zarr_format": 3, ', "damaged.zarr cannot be read: its metadata are damaged, or ask for"),
        (
            '{"zarr_format": 3, "node_type": "array"}',
            "damaged.zarr cannot be read: its metadata are damaged, or ask for",
        ),
        ("zstd", "lacks (Unknown codec: 'elsewhere')"),
    ],
)
def test_metadata_that_zarr_does_not_understand(metadata, said, scene, tmp_path, capsys):
    stored("damaged.zarr", scene)
    file = tmp_path / "damaged.zarr" / "zarr.json"
    file.write_text(file.read_text().replace(metadata, "elsewhere") if metadata == "zstd" else metadata)
    assert main(["restore", "damaged.zarr"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("missing", [[], ["--missing", "none"]])
def test_a_picture_without_damage_is_not_written(missing, scene, tmp_path, capsys):
    stored("scene.zarr", scene)
    assert main(["restore", "scene.zarr", *missing]) == 2
    assert "scene.zarr: no damage was found, and nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["scene.zarr"]


def test_filled_values_that_read_as_missing_are_counted(tmp_path, capsys):
    slope = np.broadcast_to(np.arange(-20, 21, dtype=np.int16), (40, 41)).copy()
    slope[10:20, 15:26] = slope[:, 20] = 0
    stored("scene.zarr", slope).attrs["_FillValue"] = 0
    assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 0
    count = int((zarr.open_array("filled.zarr")[...] == 0).sum())
    assert count
    assert f"{count} filled values equal the file's nodata value, and read as missing" in capsys.readouterr().out
