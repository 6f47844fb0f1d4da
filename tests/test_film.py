"""Films and curves: the frames that were asked for, in the order and for the time that was asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skinpaint import GradientDescent, Inpainter
from skinpaint.film import Recorder, displayed, energy_curve, film
from skinpaint.solution import Record


def frames(count=4, shape=(12, 16), dtype=np.uint8):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return list(rng.random((count, *shape)).astype(dtype))
    return list(rng.integers(0, np.iinfo(dtype).max, (count, *shape), dtype))


def opened(path):
    with Image.open(path) as animation:
        times = []
        for k in range(animation.n_frames):
            animation.seek(k)
            animation.load()
            times.append(animation.info["duration"])
        return animation.format, animation.size, times, np.asarray(animation.convert("RGB"))


@pytest.mark.parametrize(("suffix", "kind"), [(".gif", "GIF"), (".webp", "WEBP"), (".png", "PNG"), (".apng", "PNG")])
@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_film(tmp_path, suffix, kind, shape, dtype):
    path = tmp_path / f"film{suffix}"
    film(frames(shape=shape, dtype=dtype), path, seconds=0.1, hold=2)
    found, size, times, last = opened(path)
    assert (found, size, times) == (kind, (16, 12), [1000, 100, 100, 2000])
    shown = displayed(frames(shape=shape, dtype=dtype))[-1]
    shown = np.stack([shown] * 3, axis=-1) if shown.ndim == 2 else shown
    if suffix != ".webp":
        assert np.abs(last.astype(int) - shown).mean() < 12


def test_captions_go_below(tmp_path):
    film(frames(), tmp_path / "film.png", captions=["one", "two", "three", "a longer caption than would fit"])
    _, size, _, last = opened(tmp_path / "film.png")
    assert size == (16, 36)
    np.testing.assert_array_equal(last[:12, :, 0], frames()[-1])
    assert (last[12] == 255).all()


def test_large_frames_are_reduced_by_whole_factors(tmp_path):
    film(frames(shape=(100, 161)), tmp_path / "film.gif", max_side=64)
    assert opened(tmp_path / "film.gif")[1] == (53, 33)
    film(frames(shape=(1, 161)), tmp_path / "flat.gif", max_side=64)
    assert opened(tmp_path / "flat.gif")[1] == (53, 1)


def test_display_keeps_8_bits_and_stretches_the_rest():
    grey = frames()
    assert displayed(grey)[0] is grey[0]
    twelve_bits = [frame % 4096 for frame in frames(dtype=np.uint16)]
    shown = displayed(twelve_bits)
    assert (shown[-1].min(), shown[-1].max()) == (0, 255)
    assert displayed([np.array([-9.0, np.nan, 9, np.inf]), np.array([2.0, 4, 4, 4])])[0].tolist() == [0, 0, 255, 255]
    assert displayed([np.array([0.2, 0.4])])[0].tolist() == [51, 102]
    assert displayed([np.full(3, 700, np.uint16)])[0].tolist() == [0, 0, 0]


@given(growth=st.floats(1.01, 3), length=st.integers(1, 3000))
@settings(deadline=None, max_examples=30)
def test_recorder_keeps_few_frames_and_the_first_ones(growth, length):
    recorder = Recorder(growth=growth)
    picture = np.zeros((2, 2))
    for n_iter in range(1, length + 1):
        assert recorder(Record(n_iter=n_iter), lambda: picture) is None
    kept = np.array(recorder.iterations)
    assert kept[0] == 1
    assert len(kept) == len(recorder.frames) <= 1 / (growth - 1) + 1 + np.log(length) / np.log(growth) + 1
    assert (np.diff(kept) >= 1).all()
    assert (kept[1:] < kept[:-1] * growth + 1).all()


def test_recorder_reduces_as_the_film_does(tmp_path):
    recorder = Recorder(max_side=64)
    image = frames(1, (100, 161))[0]
    recorder(Record(n_iter=1), lambda: image)
    film([image, *recorder.frames, image], tmp_path / "film.gif", max_side=64)
    assert recorder.frames[0].dtype == np.uint8


@pytest.fixture(scope="module")
def history():
    image = np.linspace(0, 1, 64).reshape(8, 8)
    return Inpainter(GradientDescent(max_iter=30, tol=None)).fit(image, mask=np.eye(8)).history_


def test_energy_curve(tmp_path, history):
    for name, histories in {"a.png": history, "b.png": {"gd": history, "shorter": history[:1]}}.items():
        energy_curve(histories, tmp_path / name)
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (960, 600)
            assert np.asarray(picture.convert("L")).std() > 5
    energy_curve(history, tmp_path / "c.svg")
    assert "<svg" in (tmp_path / "c.svg").read_text()


@pytest.mark.parametrize("histories", [(), {"gd": ()}, [Record(n_iter=1)]])
def test_energy_curve_without_energies(tmp_path, histories):
    with pytest.raises(ValueError, match="'histories' parameter of energy_curve must hold records with an energy"):
        energy_curve(histories, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("says", "shots", "options"),
    [
        ("must hold pictures of one shape. Got none", [], {}),
        (r"Got \(4, 4\), \(4, 5\) instead", [np.zeros((4, 4)), np.zeros((4, 5))], {}),
        (r"must have shape \(M, N\) or \(M, N, 3\). Got \(4, 4, 2\)", [np.zeros((4, 4, 2))], {}),
        ("'captions' .* one line for each of 2 frames. Got 1", frames(2), {"captions": ["one"]}),
        ("'seconds' .* Got 0", frames(2), {"seconds": 0}),
        ("'hold' .* Got -1", frames(2), {"hold": -1}),
        ("'max_side' parameter of film .* Got 0", frames(2), {"max_side": 0}),
    ],
)
def test_errors(tmp_path, says, shots, options):
    with pytest.raises(ValueError, match=says):
        film(shots, tmp_path / "film.gif", **options)
    assert not list(tmp_path.iterdir())


def test_errors_of_places_and_of_the_recorder(tmp_path):
    with pytest.raises(ValueError, match=r"suffix of a film must be one of \.gif"):
        film(frames(), tmp_path / "film.avi")
    (tmp_path / "film.gif").touch()
    with pytest.raises(FileExistsError):
        film(frames(), tmp_path / "film.gif")
    with pytest.raises(ValueError, match=r"'growth' .* above 1\. Got 1"):
        Recorder(growth=1)
    with pytest.raises(ValueError, match="'max_side' parameter of Recorder"):
        Recorder(max_side=0)
