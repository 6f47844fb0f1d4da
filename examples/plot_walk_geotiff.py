"""
A GeoTIFF scene
===============

Four bands of reflectance in int16, with the nodata value -9999 under clouds and in the gaps of
a broken scanner. We fill the scene with rioxarray and on the command line, leave out what is
too far under a cloud, and read the result back with rasterio to see that it lies where it lay.
The truth is known here.
"""

import shlex
import sys
import tempfile
import warnings
from contextlib import chdir, redirect_stderr
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import rasterio
import rioxarray
from skimage import data, filters

from skinpaint import Inpainter, SparseDCT
from skinpaint.cli import main

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)


def shell(command):
    """Run a command in the folder, and print what it says."""
    print(f"$ {command}")
    with chdir(folder), redirect_stderr(sys.stdout), warnings.catch_warnings(action="default"):
        main(shlex.split(command)[1:])


# %%
# The scene
# ---------
# scikit-image has no satellite scene. A stained section of tissue has to do: its colours are
# the bands, and the fourth one is a mixture of them. Clouds hide the same pixels in every
# band. The gaps of the scanner are two pixels wide and lie elsewhere in each band.

red, blue, green = np.moveaxis(data.immunohistochemistry()[200:328, 60:188] / 255, -1, 0)
infrared = 0.4 + 0.6 * red - 0.4 * green
truth = (300 + 4000 * np.stack([blue, green, red, infrared])).round().astype(np.int16)

rows, columns = np.indices((128, 128))
clouds = filters.gaussian(np.random.default_rng(7).random((128, 128)), 10)
clouds = clouds > np.quantile(clouds, 0.92)
gaps = np.stack([(rows + columns // 6 + 5 * band) % 24 < 2 for band in range(4)])

scene = np.where(clouds | gaps, -9999, truth).astype(np.int16)
form = {"driver": "GTiff", "count": 4, "height": 128, "width": 128, "dtype": "int16"}
place = {"crs": "EPSG:32633", "transform": rasterio.Affine(30, 0, 500_000, 0, -30, 5_000_000)}
with rasterio.open(folder / "scene.tif", "w", nodata=-9999, **form, **place) as file:
    file.write(scene)
    file.descriptions = ("blue", "green", "red", "near infrared")

# %%
# With rioxarray
# --------------
# The array names its nodata value and the axis of its bands, so there is nothing to say about
# them. Pixels that are more than 6 pixels away from every known one are left as they are.

image = rioxarray.open_rasterio(folder / "scene.tif")
inpainter = Inpainter(max_distance=6).fit(image)
filled = inpainter.restored_
print(type(filled).__name__, filled.dims, filled.dtype, filled.rio.crs, filled.rio.nodata)
print(inpainter.solution_.status)
filled.rio.to_raster(folder / "filled.tif")

# %%
# On the command line
# -------------------
# The file says the same to the command:

shell("skinpaint restore scene.tif --max-distance 6 -o by-command.tif --mask-out what.tif")

# %%
# Read it back
# ------------

before = rasterio.open(folder / "scene.tif")
for name in ("filled.tif", "by-command.tif"):
    after, known = rasterio.open(folder / name), scene != -9999
    same_place = after.crs == before.crs and after.transform == before.transform
    unchanged = np.array_equal(after.read()[known], scene[known])
    print(f"{name}: the same place: {same_place}, known pixels unchanged: {unchanged}")
    print("  ", after.crs, after.dtypes[0], after.nodata, after.descriptions)
    print("   still missing in each band:", (after.read() == -9999).sum(axis=(1, 2)))
    after.close()
before.close()

# %%
# How wrong is it?
# ----------------
# The root mean square of the error, next to the spread of the values. In the gaps the default
# method uses the bands that are known there. ``joint_channels=False`` restores each band
# alone, and shows what that is worth. Under the clouds every band is missing, and no method
# knows what is there.


def root_mean_square(values):
    return np.sqrt(np.mean(np.square(values.astype(float))))


filled_here = (scene == -9999) & (filled.values != -9999)
answers = {"dct": filled.values}
alone = SparseDCT(joint_channels=False)
for name, method in {"each band alone": alone, "laplace": "laplace"}.items():
    answers[name] = Inpainter(method, max_distance=6).fit_restore(image).values
for name, answer in answers.items():
    in_gaps, under_clouds = filled_here & ~clouds, filled_here & clouds
    difference = answer.astype(float) - truth
    print(f"{name:15} gaps {root_mean_square(difference[in_gaps]):4.0f}", end="   ")
    print(f"clouds {root_mean_square(difference[under_clouds]):4.0f}")
print(f"spread of the values: {truth.std(axis=(1, 2)).mean():.0f}")

# %%
# In the picture the gaps are gone. The clouds are filled from their edges: smooth where the
# truth has structure. What was further than 6 pixels from the edge is still nodata, and white
# here. ``mask_`` and ``--mask-out`` say what was filled, so that a later step, such as a map
# of the vegetation, can leave it out.


def composite(array):
    """Near infrared, red and green as a picture; what is missing in one of them is white."""
    chosen = np.moveaxis(array[[3, 2, 1]], 0, -1)
    return np.where(
        (chosen == -9999).any(axis=-1, keepdims=True), 1, np.clip(chosen / 4400, 0, 1)
    )


pictures = {"scene": scene, "filled": filled.values, "truth": truth}
figure, grid = plt.subplots(2, 2, figsize=(8, 7.4), layout="constrained")
axes = grid.ravel()
for ax, (name, array) in zip(axes, pictures.items(), strict=False):
    ax.imshow(composite(array))
    ax.set_title(name)
error = np.where(filled_here[2], filled.values[2].astype(float) - truth[2], 0)
shown = axes[3].imshow(error, cmap="RdBu", vmin=-1500, vmax=1500)
axes[3].set_title("red band: filled minus truth")
figure.colorbar(shown, ax=axes[3], shrink=0.8)
for ax in axes:
    ax.set_axis_off()
image.close()
scratch.cleanup()
plt.show()
