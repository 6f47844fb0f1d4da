"""Films and curves: the frames that were asked for, in the order and for the time that was asked for."""

import functools
from decimal import Decimal

import numpy as np
import pytest
import tqdm
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from skinpaint import GradientDescent, Inpainter, Laplace, Reweighted
from skinpaint.damage import random_pixels
from skinpaint.film import Recorder, displayed, energy_curve, film, proven_bounds
from skinpaint.solution import Record, proven_within


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
    film(frames(), tmp_path / "film.png", captions=np.array(["1", "2", "3", "a longer caption than would fit"]))
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
    assert displayed([np.array([-6e4, 0, 6e4], np.float16)])[0].tolist() == [0, 128, 255]


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


def test_a_recorder_begins_anew_with_each_run():
    """It kept the frames of the first run, and nothing of the second."""
    recorder = Recorder(growth=3)
    for level, length in ((0.0, 10), (1.0, 4)):
        for n_iter in range(1, length + 1):
            recorder(Record(n_iter=n_iter), lambda level=level: np.full((2, 2), level))
    assert recorder.iterations == [record.n_iter for record in recorder.records] == [1, 3]
    assert np.array_equal(recorder.frames, np.ones((2, 2, 2)))


def test_a_film_in_either_byte_order(tmp_path):
    film([frame.astype(">u2") for frame in frames(2)] + frames(1, dtype=np.uint16), tmp_path / "film.gif")


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


PROVEN = {
    "lines": GradientDescent(tol=1e-5),
    "total_variation": GradientDescent(energy="total_variation"),
    "bending": GradientDescent(energy="bending"),
    "reweighted": Reweighted(),
}
UNPROVEN = {
    "plain steps": GradientDescent(step_size=0.02, max_iter=8, tol=None),
    "not known to be convex": GradientDescent(energy=lambda x: (x[1:] - x[:-1]).var(), max_iter=8, tol=None),
    "inf": GradientDescent(energy="bending", max_iter=1, tol=None),
}


@functools.cache
def run(name):
    """Restore a wave; return its recorder, its answer and all its records."""
    y, x = np.mgrid[:20, :300]
    damaged, mask = random_pixels(0.5 + 0.4 * np.sin(x / 7 + y**2 / 40), 0.6, rng=0)
    recorder = Recorder()
    inpainter = Inpainter((PROVEN | UNPROVEN)[name]).fit(damaged, mask=mask, callback=recorder)
    return recorder, inpainter.restored_, inpainter.history_


@pytest.mark.parametrize("name", PROVEN)
def test_bounds_rise_to_the_energy_and_never_above_it(name):
    _, _, history = run(name)
    bounds, energies = proven_bounds(history), [record.energy for record in history]
    first = next(k for k, record in enumerate(history) if np.isfinite(record.gap))
    assert bounds[:first] == [None] * first
    assert (np.diff(bounds[first:]) >= 0).all()
    assert bounds[-1] <= min(energies)
    assert energies[-1] <= bounds[-1] * (1 + history[-1].gap) * (1 + 1e-12)


@pytest.mark.parametrize("name", UNPROVEN)
def test_where_nothing_is_proven_nothing_changes(tmp_path, name):
    recorder, restored, history = run(name)
    shots, records = [restored, *recorder.frames, restored], [None, *recorder.records, history[-1]]
    assert proven_bounds(records) == [None] * len(records)
    film(shots, tmp_path / "with.png", captions=["a"] * len(shots), records=records)
    film(shots, tmp_path / "without.png", captions=["a"] * len(shots))
    assert (tmp_path / "with.png").read_bytes() == (tmp_path / "without.png").read_bytes()


@pytest.mark.parametrize("name", PROVEN)
def test_chart_closes_in_and_knows_no_future(tmp_path, name):
    recorder, restored, history = run(name)
    assert recorder.records == [history[n_iter - 1] for n_iter in recorder.iterations]
    shots, records = [restored, *recorder.frames, restored], [None, *recorder.records, history[-1]]
    film(shots, tmp_path / "film.png", records=records)
    with Image.open(tmp_path / "film.png") as animation:
        charts = []
        for k in range(animation.n_frames):
            animation.seek(k)
            picture = np.asarray(animation.convert("L"))
            np.testing.assert_array_equal(picture[:20], displayed(shots)[k])
            charts.append(picture[20:])
    assert charts[0].shape[1] == 300
    assert (charts[0] == 255).all(), "nothing is known of the damaged picture"
    curves = [chart[28:-28] for chart in charts[1:]]  # without the words above and below
    ends = [np.flatnonzero((curve < 255).any(axis=0)).max() for curve in curves]
    assert (np.diff(ends[:-1]) > 0).all()
    shaded = (curves[-1] == 225).sum(axis=0)
    shaded = shaded[np.flatnonzero(shaded)[0] + 8 :]  # clear of the first corner
    assert (np.diff(shaded) <= 1).all()
    assert shaded[-1] <= 1 < shaded[0]


def test_small_films_with_a_chart_are_enlarged_within_max_side(tmp_path):
    records = [None, Record(n_iter=1, energy=2.0, gap=1.0), Record(n_iter=2, energy=1.5, gap=0.1)]
    film(frames(3), tmp_path / "large.png", records=records)
    film(frames(3), tmp_path / "small.png", records=records, max_side=20)
    _, size, times, last = opened(tmp_path / "large.png")
    assert (size, times) == ((240, 180 + 5 * 24), [1250, 500, 2500])
    np.testing.assert_array_equal(last[:180:15, ::15, 0], frames(3)[-1])
    assert opened(tmp_path / "small.png")[1] == (16, 12 + 5 * 24)


@given(gap=st.floats(1e-12, 1e6))
def test_no_more_is_said_than_is_proven(gap):
    _, _, percent, sign = proven_within(gap).split()
    assert sign == "%"
    assert Decimal(repr(gap)) <= Decimal(percent) / 100 <= Decimal(repr(gap)) * Decimal("1.1")
    assert len(percent.replace(".", "").split("e")[0].strip("0")) <= 2


def test_nothing_is_said_where_nothing_is_proven():
    assert [proven_within(gap) for gap in (None, np.inf, np.nan, 0)] == ["", "", "", "proven within 0 %"]


def test_progress_tells_energy_and_proof(capsys, monkeypatch):
    monkeypatch.setattr("tqdm.auto.tqdm", functools.partial(tqdm.tqdm, mininterval=0, ncols=200))
    image, mask = np.linspace(0, 1, 64).reshape(8, 8), np.eye(8)
    inpainter = Inpainter("gd", progress=True).fit(image, mask=mask)
    shown = capsys.readouterr().err
    for record in inpainter.history_:
        assert f"energy {record.energy:.6g}, {proven_within(record.gap)}]" in shown
    Inpainter(GradientDescent(step_size=0.02, max_iter=3, tol=None), progress=True).fit(image, mask=mask)
    assert "proven" not in capsys.readouterr().err


@pytest.mark.parametrize(("method", "shown"), [(Laplace(noise=0.1), True), (Laplace(), False)])
def test_progress_of_an_image_in_which_nothing_is_missing(method, shown, capsys):
    """One that is smoothed takes its time, too."""
    Inpainter(method, progress=True).fit(np.eye(8), mask=np.zeros((8, 8)))
    assert ("Laplace" in capsys.readouterr().err) == shown


@pytest.fixture
def drawn(monkeypatch):
    """Return the figures that are saved."""
    figures, save = [], Figure.savefig

    def keep(figure, *arguments):
        figures.append(figure)
        save(figure, *arguments)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_energy_curve_draws_the_bound_and_the_shade_between(tmp_path, drawn):
    names = [*PROVEN, "plain steps"]
    energy_curve({name: run(name)[2] for name in names}, tmp_path / "a.png")
    (axes,) = drawn[0].axes
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert set(lines) == {*names, *(f"{name}, proven lower bound" for name in PROVEN)}
    assert {text.get_text() for text in axes.get_legend().get_texts()} == set(lines)
    assert len(axes.collections) == len(PROVEN)
    for name in PROVEN:
        energy, bound = dict(lines[name]), lines[f"{name}, proven lower bound"]
        assert (np.diff(bound[:, 1]) >= 0).all()
        assert bound[:, 1].max() <= min(energy.values())
        assert set(bound[:, 0]) <= set(energy)


def test_energy_curve_without_a_proof_draws_the_energy_alone(tmp_path, drawn):
    for name in UNPROVEN:
        energy_curve(run(name)[2], tmp_path / "a.png", overwrite=True)
        (axes,) = drawn.pop().axes
        assert (len(axes.lines), len(axes.collections), axes.get_legend()) == (1, 0, None)


@pytest.mark.parametrize(
    ("says", "shots", "options"),
    [
        ("must hold pictures of one shape. Got none", [], {}),
        ("of one dtype, .* Got floats and uint8", [np.zeros((4, 4)), np.zeros((4, 4), np.uint8)], {}),
        (r"Got \(4, 4\), \(4, 5\) instead", [np.zeros((4, 4)), np.zeros((4, 5))], {}),
        (r"must have shape \(M, N\) or \(M, N, 3\). Got \(4, 4, 2\)", [np.zeros((4, 4, 2))], {}),
        ("'captions' .* one line for each of 2 frames. Got 1", frames(2), {"captions": ["one"]}),
        ("'records' .* one record or None for each of 2 frames. Got 1", frames(2), {"records": [None]}),
        ("'seconds' .* Got 0", frames(2), {"seconds": 0}),
        ("'seconds' .* at most 600", frames(2), {"seconds": 1e9}),
        ("'seconds' .* Got 'a'", frames(2), {"seconds": "a"}),
        ("'hold' .* Got -1", frames(2), {"hold": -1}),
        ("'hold' .* longer than 655.35 s in a .gif, .* equal frames .* Got 900 s", frames(1) * 2, {"hold": 600}),
        ("'max_side' parameter of film .* Got 0", frames(2), {"max_side": 0}),
        ("'max_side' parameter of film .* Got '9'", frames(2), {"max_side": "9"}),
        ("must hold real numbers. Got complex128", [np.eye(4) * 1j], {}),
        ("'captions' .* for each of 1 frames. Got 5 instead", frames(1), {"captions": [5]}),
        ("'captions' .* for each of 1 frames. Got 'a' instead", frames(1), {"captions": "a"}),
        ("'records' .* for each of 1 frames. Got 'a' instead", frames(1), {"records": ["a"]}),
        ("'captions' .* for each of 1 frames. Got 5 instead", frames(1), {"captions": 5}),
    ],
)
def test_errors(tmp_path, says, shots, options):
    with pytest.raises(ValueError, match=says):
        film(shots, tmp_path / "film.gif", **options)
    assert not list(tmp_path.iterdir())


def test_errors_of_places_and_of_the_recorder(tmp_path):
    with pytest.raises(ValueError, match=r"longer than 65.535 s in a .png, .* Got 66.123 s instead. Write a .webp"):
        film(frames(), tmp_path / "film.png", hold=66.123)
    with pytest.raises(ValueError, match=r"suffix of a film must be one of \.gif"):
        film(frames(), tmp_path / "film.avi")
    (tmp_path / "film.gif").touch()
    with pytest.raises(FileExistsError):
        film(frames(), tmp_path / "film.gif")
    with pytest.raises(ValueError, match=r"'growth' .* above 1\. Got 1"):
        Recorder(growth=1)
    with pytest.raises(ValueError, match=r"'growth' .* above 1\. Got 'a'"):
        Recorder(growth="a")
    with pytest.raises(ValueError, match="'max_side' parameter of Recorder"):
        Recorder(max_side=0)
