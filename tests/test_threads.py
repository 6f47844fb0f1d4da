"""Threads change how long a restoration takes, never a byte of it: in any number, under any layer, after a fork."""

import os
import platform
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Event

import autograd.numpy as anp
import numpy as np
import pytest

from skinpaint import Biharmonic, GradientDescent, Inpainter, Laplace, Reweighted, inpaint
from skinpaint.grid import threads
from skinpaint.grid.biharmonic import kernels as fourth_order_kernels
from skinpaint.grid.biharmonic import multigrid as fourth_order
from skinpaint.grid.harmonic import kernels as second_order_kernels
from skinpaint.grid.harmonic import kernels_checkerboard
from skinpaint.grid.harmonic import multigrid as second_order
from skinpaint.lazy import lazy

SIDE = 256


def image_and_mask(seed, missing=0.9, side=SIDE):
    rng = np.random.default_rng(seed)
    smooth = np.add.outer(np.arange(side), np.arange(side)) / (2 * side)
    return np.rint(200 * smooth + 55 * rng.random((side, side))).astype(np.uint8), rng.random((side, side)) < missing


def restored(seed, method="laplace", missing=0.9, side=SIDE):
    return inpaint(*image_and_mask(seed, missing, side), method=method).tobytes()


@pytest.fixture
def pool_of(monkeypatch):
    """Return a function that makes the shared pool one of so many threads, whatever the machine has."""

    def make(count):
        monkeypatch.setattr(threads, "workers", lambda: count)
        monkeypatch.setattr(threads, "_threads", [])
        monkeypatch.setattr(threads, "MIN_SHARED_ENTRIES", 1000)

    return make


def test_a_large_image_is_shared(monkeypatch, rng):
    monkeypatch.setattr(threads, "workers", lambda: 2)
    monkeypatch.setattr(threads, "_threads", [])
    mask = rng.random((1000, 1000)) < 0.9
    inpaint(rng.random(mask.shape), mask, method="laplace")
    assert len(threads._threads) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or os.cpu_count() < 2, reason="needs two processors of Linux")
def test_other_threads_work_on_other_processors(pool_of, monkeypatch):
    """Woken after a rest, they would wait on this one while others idle."""
    pool_of(2)
    for name, nobody in (("_inbox", SimpleQueue()), ("_native", []), ("_away", None)):  # no thread of other tests helps
        monkeypatch.setattr(threads, name, nobody)
    allowed, seen = os.sched_getaffinity(0), []

    def look(lo, hi):
        seen.append((lo, os.sched_getaffinity(0)))

    for here in allowed:
        monkeypatch.setattr(threads, "_cpu", lambda here=here: here)
        for _ in range(2):  # the thread has not begun when it is first called
            seen.clear()
            threads.share(look, 0, 2, 10**6)
        assert sorted(seen) == [(0, allowed), (1, allowed - {here})]


TRIALS = {
    "laplace": (Laplace(solver="multigrid"), (301, 203), None),
    "laplace, lags": (Laplace(solver="multigrid", lags=(1, 2)), (301, 203), None),
    "laplace, stretched": (Laplace(solver="multigrid", lags=(1, 2)), (150, 90), (3, 1)),  # rows are halved later
    "laplace, volume": (Laplace(solver="multigrid"), (61, 30, 41), None),
    "laplace, long volume": (Laplace(solver="multigrid"), (131, 12, 17), None),  # long enough to be swept often
    "laplace, four axes": (Laplace(solver="multigrid"), (47, 7, 6, 9), None),
    "laplace, line": (Laplace(solver="multigrid"), (20_000,), None),
    "biharmonic": (Biharmonic(solver="multigrid"), (151, 120), None),
    "biharmonic, stretched": (Biharmonic(solver="multigrid"), (90, 120), (2, 1)),
    "biharmonic, volume": (Biharmonic(solver="multigrid"), (43, 20, 22), None),
}


def solved(trial):
    """Every bit of the answer, before clipping, where integers would round."""
    method, shape, spacing = TRIALS[trial]
    rng = np.random.default_rng(0)
    inpainter = Inpainter(method, spacing=spacing).fit(rng.random(shape), mask=rng.random(shape) < 0.8)
    return inpainter.solution_.values.tobytes()


def slabs_of(entries, monkeypatch):
    for module in (second_order, fourth_order):
        monkeypatch.setattr(module, "PASS_ENTRIES", entries)


@pytest.mark.parametrize("trial", TRIALS)
def test_neither_bands_nor_slabs_change_a_bit(trial, pool_of, monkeypatch):
    pool_of(1)
    slabs_of(10**9, monkeypatch)
    pass_by_pass = solved(trial)
    for count, entries in [(1, 1), (2, 3000), (8, 1)]:
        pool_of(count)
        slabs_of(entries, monkeypatch)
        assert solved(trial) == pass_by_pass


@pytest.mark.parametrize(
    ("engine", "kernels"),
    [
        ("laplace, stretched", second_order_kernels),
        ("laplace", kernels_checkerboard),
        ("biharmonic", fourth_order_kernels),
    ],
)
@pytest.mark.filterwarnings("ignore:Not solved")
def test_bands_without_the_wedges_between_them_are_seen(engine, kernels, pool_of, monkeypatch):
    pool_of(3)
    whole = solved(engine)
    smooth = kernels.smooth
    monkeypatch.setattr(kernels, "smooth", lambda top, fall, *args: smooth(top, fall, *args) if fall >= 0 else None)
    assert solved(engine) != whole


def article(x):
    """The article's energy by rows and columns, with a root that has a gradient everywhere."""
    return sum(
        anp.sqrt(anp.sum((line[1:] - line[:-1]) ** 2, axis=0) + 1e-6).sum()
        for whole in (x, x.T)
        for line in (whole, whole[::2], whole[1::2])
    )


METHODS = {
    "laplace": Laplace(),
    "biharmonic": Biharmonic(solver="multigrid"),
    "gd": GradientDescent(),
    "gd, floats": GradientDescent(energy="total_variation", max_iter=10, tol=None),
    "gd, own energy": GradientDescent(energy=article, convex=True, max_iter=10, tol=None),
    "reweighted": Reweighted(tol=1e-4),
}


LISTED = [(name, 0.03, SIDE) for name in ("laplace", "gd", "reweighted")]  # where little is missing


@pytest.mark.parametrize(("method", "missing", "side"), [*((name, 0.9, SIDE // 2) for name in METHODS), *LISTED])
@pytest.mark.parametrize("count", [1, 3])
def test_eight_threads_restore_as_one_does(count, method, missing, side, pool_of):
    pool_of(count)
    restore = partial(restored, method=METHODS[method], missing=missing, side=side)
    one_after_another = [restore(seed) for seed in range(4)]
    with ThreadPoolExecutor(8) as eight:
        at_once = list(eight.map(restore, [0, 1, 2, 3] * 2))
    assert at_once == one_after_another * 2
    assert bool(threads._threads) == (count > 1)  # work was shared


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", ">f8"])
def test_big_endian_images(dtype):
    image, mask = image_and_mask(0)
    swapped = inpaint(image.astype(dtype), mask, method="laplace")
    native = inpaint(image.astype(np.dtype(dtype).newbyteorder("=")), mask, method="laplace")
    assert swapped.dtype == np.dtype(dtype)
    assert (swapped == native).all()


def test_an_error_in_one_part_is_raised(pool_of):
    pool_of(3)

    def kernel(lo, hi):
        if lo > 0:
            raise FloatingPointError("in a part that is not the first")

    with pytest.raises(FloatingPointError):
        threads.share(kernel, 0, 10, work=10**6)


PREAMBLE = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import *
threads.workers, threads.MIN_SHARED_ENTRIES = lambda: 3, 1000
"""


def run(script, tmp_path, **environment):
    """Run a script in a process of its own, from a file, so that numba can compile what it defines.

    Its lines are not counted: Ctrl-C can leave a lock of the counter closed for ever.
    """
    path = tmp_path / "script.py"
    path.write_text(PREAMBLE + script, encoding="utf-8")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(path)]  # Python 3.12 warns of every fork
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, timeout=300)


EMBEDDED = """
import numba
from threading import Lock, Thread

@numba.njit(parallel=True, cache=True)
def total(x):
    s = 0.0
    for i in numba.prange(x.size):
        s += x[i]
    return s

try:
    total(np.ones(10))
except ValueError as error:  # numba cannot load this layer
    print(error)
    sys.exit(77)

expected = [restored(seed) for seed in range(4)]
alone = Lock()  # workqueue lets in one thread at a time, and that is the embedding program's to see to
stop, sums = False, []

def busy():
    while not stop:
        with alone:
            sums.append(total(np.ones(1_000_000)))

others = [Thread(target=busy) for _ in range(2)]
for other in others:
    other.start()
with ThreadPoolExecutor(8) as eight:
    answers = list(eight.map(restored, [0, 1, 2, 3] * 2))
stop = True
for other in others:
    other.join()
assert answers == expected * 2
assert set(sums) == {1e6}
assert numba.threading_layer() == os.environ["NUMBA_THREADING_LAYER"]
"""


@pytest.fixture(scope="module")
def one_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("embedded")  # what the program compiles is kept there


@pytest.mark.parametrize("layer", ["omp", "tbb", "workqueue"])
def test_beside_a_program_that_runs_numba_in_parallel(layer, one_folder):
    done = run(EMBEDDED, one_folder, NUMBA_THREADING_LAYER=layer)
    if done.returncode == 77:
        pytest.skip(f"numba has no {layer} here: {done.stdout.strip()}")
    assert done.returncode == 0, done.stderr


FORKED = """
restored = partial(restored, missing=MISSING)
expected = restored(0)
assert threads._threads
with ThreadPoolExecutor(1) as other:
    running = other.submit(restored, 1)  # the pool is at work while the child is born
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if restored(0) == expected else 1)
    assert restored(0) == expected
    running.result()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("missing", ["0.9", "0.03"])
def test_a_forked_child_restores_after_its_parent_did(missing, tmp_path):
    done = run(FORKED.replace("MISSING", missing), tmp_path)
    assert done.returncode == 0, done.stderr


def test_nothing_lazy_waits_for_another_thread():
    """A thread that computes one does not hold up others, nor a child that is forked meanwhile."""

    class Slow:
        def __init__(self, wait):
            self.wait = wait

        @lazy
        def answer(self):
            return self.wait()

    begun, go_on = Event(), Event()

    def wait():
        begun.set()
        return go_on.wait(60)

    with ThreadPoolExecutor(2) as two:
        slow = two.submit(lambda: Slow(wait).answer)
        assert begun.wait(60)
        assert two.submit(lambda: Slow(lambda: 7).answer).result(10) == 7
        go_on.set()
        assert slow.result() is True


INTERRUPTED = """
import time
expected = restored(0)
caught = 0
for delay in (0.005, 0.01, 0.02, 0.03, 0.05):
    try:
        signal.setitimer(signal.ITIMER_REAL, delay, 0.5)  # again, should the first hit a finaliser, which swallows it
        while True:
            restored(1)
    except KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0)
        caught += 1
    assert restored(0) == expected
assert caught == 5
"""


INTERRUPTED_ANYWHERE = """
import faulthandler, sys
import numpy as np
faulthandler.dump_traceback_later(60, exit=True)  # what hangs is killed, and said
out = np.zeros(2)
def kernel(lo, hi, out):
    out[lo:hi] += 1

class Interrupt:
    def __init__(self, after):
        self.left = after
    def __call__(self, frame, event, arg):
        frame.f_trace_opcodes = True
        if frame.f_code is not kernel.__code__ and event == "opcode":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

after = 0
while True:
    after += 1
    threads._forget()  # so that starting a thread is interrupted, too
    try:
        sys.settrace(Interrupt(after))
        threads.share(kernel, 0, 2, 10**9, out)
        sys.settrace(None)
        break
    except KeyboardInterrupt:
        sys.settrace(None)
    for _ in range(3):
        out = np.zeros(2)
        threads.share(kernel, 0, 2, 10**9, out)
        assert out.tolist() == [1, 1], (after, out)
assert after > 100, after
"""


def test_an_interruption_at_any_instruction_blocks_nobody(tmp_path):
    done = run(INTERRUPTED_ANYWHERE, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no interval timers here")
def test_after_an_interruption_all_is_as_before(tmp_path):
    ring = "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
    done = run(ring + INTERRUPTED, tmp_path)
    assert done.returncode == 0, done.stderr


FRESH_MEMORY = """
import resource, sys
import numpy as np
import skinpaint.grid.layout

def fetched():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(3):
    before = fetched()
    arrays = [np.ones(10**6, np.uint8) for _ in range(20)]
    del arrays
print(fetched() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about that C library")
def test_memory_is_kept_for_the_next_call():
    """Else 20 MB are fetched from the system anew, in 5000 pages."""
    done = subprocess.run([sys.executable, "-c", FRESH_MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500
