"""How a restoration grows: passes, seconds and memory, from a megapixel to as much as the disk allows.

Image and mask are made chunk by chunk, so that no process ever holds them. The answer is written to a zarr store, and
the certificate is that of the solver, which looks at the result again.

    python benchmarks/scale.py --side 4096 8192 --mask clouds random corners
    python benchmarks/scale.py --side 32768 --chunk 2048 --mask clouds --work /scratch --workers 0
    python benchmarks/scale.py --side 4096 --chunk 512 --workers 2 --report report.html

With workers it also counts tasks, and says what the scheduler and the transport of data cost for each. The report is
that of `dask.distributed`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import zarr
from options import between, folder_to_write

from skinpaint.dask import solve

CLOUDS = 0.30  # of the image
MAX_WIDTH = 6000  # pixels, of a cloud


def scene(side: int, chunk: int) -> da.Array:
    """An image of smooth hills and some grain, as uint8."""
    return _made(_scene, side, chunk, np.uint8)


def random(side: int, chunk: int) -> da.Array:
    """90 % of the pixels, at random."""
    return _made(_random, side, chunk, bool)


def corners(side: int, chunk: int) -> da.Array:
    """All but three corners."""
    return _made(_corners, side, chunk, bool, side)


def clouds(side: int, chunk: int) -> da.Array:
    """Discs of many sizes, 6000 pixels wide at most, 30 % of the image."""
    rng, discs, share = np.random.default_rng(1), [], 0.0
    while share < -np.log(1 - CLOUDS):  # discs overlap
        radius = min(MAX_WIDTH, side // 3) / 2 * rng.random() ** 2 + 2
        discs.append((*(rng.random(2) * side), radius))
        share += np.pi * radius**2 / side**2
    return _made(_clouds, side, chunk, bool, np.array(discs))


METHODS = "laplace", "dct", "biharmonic", "pnp"  # that take chunks
MASKS = {"random": random, "corners": corners, "clouds": clouds}


def _made(function, side, chunk, dtype, *args):
    like = da.zeros((side, side), chunks=chunk, dtype=np.uint8)
    return da.map_blocks(_place, like, function, args, dtype=dtype, meta=np.empty((0, 0), dtype))


def _place(block, function, args, block_info=None):
    (top, bottom), (left, right) = block_info[0]["array-location"]
    y, x = np.ogrid[top:bottom, left:right]
    return function(y.astype(np.float32), x.astype(np.float32), np.random.default_rng([top, left]), *args)


def _scene(y, x, rng):
    hills = 110 + 50 * np.sin(y / 311) * np.cos(x / 173) + 40 * np.sin((x + 2 * y) / 1777)
    return (hills + 10 * rng.standard_normal(hills.shape, np.float32)).clip(0, 255).astype(np.uint8)


def _random(y, x, rng):
    return rng.random((y.size, x.size), np.float32) < 0.9


def _corners(y, x, rng, side):
    last = side - 1
    known = ((y == 0) & ((x == 0) | (x == last))) | ((y == last) & (x == last))
    return ~known


def _clouds(y, x, rng, discs):
    missing = np.zeros((y.size, x.size), bool)
    for cy, cx, radius in discs:
        near = y[0, 0] - radius < cy < y[-1, 0] + radius and x[0, 0] - radius < cx < x[0, -1] + radius
        if near:
            missing |= (y - cy) ** 2 + (x - cx) ** 2 < radius**2
    return missing


class Peak:
    """The largest resident memory of this process and its children, looked at twice a second."""

    def __enter__(self) -> Peak:
        self.bytes, self.done = 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _watch(self) -> None:
        import psutil

        me = psutil.Process()
        while not self.done.wait(0.5):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.bytes = max(self.bytes, total)


@contextlib.contextmanager
def counted(workers: int) -> Iterator[dict]:
    """What is known of the tasks, once they are done; nothing without workers."""
    found: dict = {}
    if not workers:
        yield found
        return
    from dask.distributed import get_task_stream

    began = time.perf_counter()
    with get_task_stream() as stream:
        yield found
    seconds = time.perf_counter() - began
    spent = {"compute": 0.0, "transfer": 0.0}
    for task in stream.data:
        for part in task["startstops"]:
            name = part["action"] if part["action"] in spent else "transfer"
            spent[name] += part["stop"] - part["start"]
    found["tasks"] = len(stream.data)
    found["ms of work a task"] = round(1e3 * spent["compute"] / len(stream.data), 1)
    found["ms of transport a task"] = round(1e3 * spent["transfer"] / len(stream.data), 2)
    found["ms of a worker's waiting a task"] = round(
        1e3 * (workers * seconds - sum(spent.values())) / len(stream.data), 2
    )


def run(side: int, chunk: int, mask: str, method: str, folder: Path, workers: int, *, on_disk: bool) -> dict:
    """Restore one scene, and say what it took; `on_disk` keeps the values between passes in the folder, too."""
    image, missing = scene(side, chunk), MASKS[mask](side, chunk)
    work = str(folder / "work.zarr") if on_disk else None
    answer = str(folder / "answer.zarr")
    with Peak() as peak, counted(workers) as tasks:
        began = time.perf_counter()
        solution = solve(image, missing, method=method, work=work, callback=_say)
        passes = time.perf_counter() - began
        size = len(dict(solution.restored.__dask_graph__()))
        solution.restored.to_zarr(answer, overwrite=True)
        seconds = time.perf_counter() - began
    found = zarr.open_array(answer)
    return {
        "megapixels": round(side**2 / 1e6),
        "mask": mask,
        "method": method,
        "chunk": chunk,
        "passes": solution.n_iter,
        "residual": solution.residual,
        "error": solution.error,
        "seconds": round(seconds, 1),
        "seconds of the passes": round(passes, 1),
        "ns per pixel and pass": round(passes / side**2 / max(solution.n_iter, 1) * 1e9),
        "peak GB of the process tree": round(peak.bytes / 1e9, 2),
        "dtype": str(found.dtype),
        "tasks in the last graph": size,
        **tasks,
        "status": solution.status,
    }


def _say(record, restore):
    print(f"  pass {record.n_iter}: change {record.change:.1e} of the range, {record.seconds:.0f} s", flush=True)


def main() -> None:
    """Run what the command line asks for, and print a line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=between(32), nargs="+", default=[1024, 4096])
    parser.add_argument("--chunk", type=between(32), default=2048)
    parser.add_argument("--mask", choices=MASKS, nargs="+", default=["clouds"])
    parser.add_argument("--method", choices=METHODS, default="laplace")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="performance report, with workers")
    parser.add_argument(
        "--work",
        type=folder_to_write,
        metavar="FOLDER",
        help="for values between passes, otherwise in memory",
    )
    parser.add_argument("--workers", type=between(0), default=0, help="processes of a LocalCluster; 0 for threads")
    parser.add_argument("--threads", type=between(1), default=2, help="threads, without workers")
    args = parser.parse_args()
    if args.report and not args.workers:
        parser.error("argument --report: must go with --workers, whose report it is. Got no workers.")
    if args.report and not find_spec("bokeh"):
        parser.error("argument --report: must go with bokeh, which draws it. Install it: pip install bokeh")
    with contextlib.ExitStack() as stack:
        if args.workers:
            from dask.distributed import Client, LocalCluster, performance_report

            options = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": ":0"}
            cluster = stack.enter_context(LocalCluster(args.workers, **options))
            stack.enter_context(Client(cluster))
            if args.report:
                stack.enter_context(performance_report(args.report))
        else:
            stack.enter_context(dask.config.set(scheduler="threads", num_workers=args.threads))
        for side in args.side:
            for mask in args.mask:
                with tempfile.TemporaryDirectory(dir=args.work, ignore_cleanup_errors=True) as name:
                    chunk, on_disk = min(args.chunk, side), args.work is not None
                    found = run(side, chunk, mask, args.method, Path(name), args.workers, on_disk=on_disk)
                    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
