"""What users would do with a scene in chunks, beside ours: seconds, memory, error, and seams at the borders of chunks.

Each runs in a process of its own, and is stopped when its time is up. Smooth hills with some grain lie under clouds of
many sizes, as in `scale.py`.

    python benchmarks/scale_peers.py --side 4096 --chunk 1024 --budget 400 --write docs/benchmarks
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import dask
import dask.array as da
import numpy as np
from machine import describe, peak
from options import between, folder_to_write
from report import Table, save
from scale import clouds, scene

from skinpaint import Laplace, inpaint

HALO = 64  # pixels, of map_overlap
REACH = 2000  # pixels, of fillnodata
HEAD = ("", "seconds", "peak memory", "left empty", "to the exact fill", "to the hills", "jump at a border")

Fill = Callable[[np.ndarray, int], np.ndarray]  # image with NaN, side of a chunk


def chunks(method: str) -> Fill:
    """Ours, in chunks."""
    return lambda x, chunk: inpaint(da.from_array(x, chunk), method=method).compute()


def memory(method: str) -> Fill:
    """Ours, in memory."""
    return lambda x, chunk: inpaint(x, method=method)


def overlapped(fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Fill:
    """Each chunk with a halo, by dask's map_overlap."""

    def block(x: np.ndarray) -> np.ndarray:
        mask = np.isnan(x)
        return fill(x, mask).astype(x.dtype) if mask.any() and not mask.all() else x

    options = {"depth": HALO, "boundary": "none", "dtype": np.float32}
    return lambda x, chunk: da.map_overlap(block, da.from_array(x, chunk), **options).compute()


def scikit_image(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Its biharmonic fill."""
    from skimage.restoration import inpaint_biharmonic

    return inpaint_biharmonic(np.where(mask, 0, x), mask)


def fillnodata(x: np.ndarray, chunk: int) -> np.ndarray:
    """GDAL, through rasterio."""
    from rasterio.fill import fillnodata as fill

    return fill(np.nan_to_num(x), mask=(~np.isnan(x)).astype(np.uint8), max_search_distance=REACH)


def interpolate_na(x: np.ndarray, chunk: int) -> np.ndarray:
    """rioxarray, linear between the corners of triangles."""
    import rioxarray  # noqa: F401
    import xarray as xr

    y, columns = (10.0 * np.arange(n) for n in x.shape)
    raster = xr.DataArray(x, dims=("y", "x"), coords={"y": y[::-1], "x": columns})
    return raster.rio.write_crs("EPSG:32633").rio.write_nodata(np.nan).rio.interpolate_na("linear").values


FILLS: dict[str, Fill] = {
    "ours, laplace, in memory": memory("laplace"),
    "ours, laplace, in chunks": chunks("laplace"),
    "ours, dct, in chunks": chunks("dct"),
    f"map_overlap of our laplace, halo {HALO}": overlapped(lambda x, mask: inpaint(x, mask, method="laplace")),
    f"map_overlap of scikit-image's biharmonic, halo {HALO}": overlapped(scikit_image),
    f"rasterio's fillnodata, {REACH} pixels": fillnodata,
    "rioxarray's interpolate_na": interpolate_na,
}


def child(name: str, folder: Path, chunk: int) -> None:
    """Fill the scene of a folder, and leave the answer there."""
    dask.config.set(scheduler="threads", num_workers=2)
    x = np.load(folder / "scene.npy")
    fill = FILLS[name]
    small = np.where(np.arange(64 * 64).reshape(64, 64) % 5 == 0, np.nan, np.arange(64))
    fill(small.astype(np.float32), 64)  # kernels are loaded
    began, before = perf_counter(), peak()
    filled = fill(x, chunk)
    print(json.dumps({"seconds": perf_counter() - began, "bytes": peak(), "before": before}))
    np.save(folder / "filled.npy", filled)


def run(name: str, folder: Path, chunk: int, budget: float) -> tuple[dict, np.ndarray] | str:
    """Fill the scene in a process of its own; what it took and the answer, or why there is none."""
    command = [sys.executable, __file__, "--child", name, "--folder", str(folder), "--chunk", str(chunk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=budget)
    except subprocess.TimeoutExpired:
        return f"not done after {budget:g} s"
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    return json.loads(done.stdout.splitlines()[-1]), np.load(folder / "filled.npy").astype(float)


def jump(filled: np.ndarray, mask: np.ndarray, chunk: int) -> float:
    """The largest step between filled pixels on both sides of a border of chunks."""
    largest = 0.0
    for image, hidden in ((filled, mask), (filled.T, mask.T)):
        for k in range(chunk, len(image), chunk):
            steps = np.abs(image[k] - image[k - 1])[hidden[k] & hidden[k - 1]]
            largest = max(largest, float(steps[np.isfinite(steps)].max(initial=0)))
    return largest


def picture(panels: dict[str, np.ndarray], path: Path) -> None:
    """The same cut of each, in grey."""
    from matplotlib.figure import Figure

    columns = 4
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3 * columns, 3.3 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    low, high = np.nanpercentile(np.stack(list(panels.values())), [1, 99])
    for axes, (title, image) in zip(grid, panels.items(), strict=False):
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(title.replace(", halo", ",\nhalo"), fontsize=9)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Compare, print the table, and write it and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=between(32), default=1024)
    parser.add_argument("--chunk", type=between(32), default=256)
    parser.add_argument("--budget", type=float, default=75, help="seconds for each")
    parser.add_argument("--write", type=folder_to_write, metavar="FOLDER", help="for the table and the picture")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.folder, args.chunk)
        return
    image, mask = dask.compute(scene(args.side, args.chunk), clouds(args.side, args.chunk))
    y, x = np.indices(image.shape)
    hills = 110 + 50 * np.sin(y / 311) * np.cos(x / 173) + 40 * np.sin((x + 2 * y) / 1777)
    damaged = np.where(mask, np.nan, image).astype(np.float32)
    exact = inpaint(damaged.astype(float), method=Laplace(tol=1e-10))
    k = args.chunk * max(1, args.side // args.chunk // 2)  # a corner of four chunks
    cut = (slice(k - args.chunk, k + args.chunk),) * 2
    rows, panels = [], {"damaged": damaged[cut]}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        np.save(folder / "scene.npy", damaged)
        for name in FILLS:
            found = run(name, folder, args.chunk, args.budget)
            if isinstance(found, str):
                rows.append([name, found, "", "", "", "", ""])
            else:
                took, filled = found
                done = mask & np.isfinite(filled)
                errors = [np.abs(filled - other)[done] for other in (exact, hills)]
                figures = [f"{each.mean():.2g} / {each.max():.2g}" for each in errors]
                empty = np.count_nonzero(mask & ~done) / np.count_nonzero(mask)
                rows.append([
                    name,
                    f"{took['seconds']:.1f}",
                    f"{(took['bytes'] - took['before']) / 1e6:.0f} MB",
                    f"{empty:.1%}",
                    *figures,
                    f"{jump(filled, mask, args.chunk):.1f}",
                ])  # fmt: skip
                panels[name] = filled[cut]
            print(rows[-1], flush=True)
    title = (
        f"{args.side} x {args.side} pixels under clouds ({mask.mean():.0%}), chunks of {args.chunk}, "
        f"{args.budget:g} s for each; errors are mean / largest, in grey levels of 255"
    )
    table = Table(title, HEAD, rows)
    print(table)
    if args.write:
        save(args.write / "scale-peers.inc", describe("dask", "rioxarray", "rasterio"), [table])
        picture(panels, args.write / "scale-peers.png")


if __name__ == "__main__":
    main()
