"""
A FITS frame
============

A frame of a telescope has bad pixels, cosmic rays, and a column that is saturated because it
crosses a bright star. astropy's ``CCDData`` holds the frame, its mask, its uncertainty and its
coordinates. We restore it in Python and on the command line, and measure what that does to the
light of three objects. The truth is known here.
"""

import shlex
import sys
import tempfile
import warnings
from contextlib import chdir, redirect_stderr
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS
from skimage import color, data, draw

from skinpaint import Inpainter
from skinpaint.cli import main

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)


def shell(command):
    """Run a command in the folder, and print what it says."""
    print(f"$ {command}")
    with chdir(folder), redirect_stderr(sys.stdout), warnings.catch_warnings(action="default"):
        main(shlex.split(command)[1:])


# %%
# The frame
# ---------
# A part of the Hubble deep field, in electrons: a sky of 200, the noise of the photons, and a
# read-out noise of 10.

SKY, READ_NOISE = 200, 10
rng = np.random.default_rng(0)
light = SKY + 40_000 * color.rgb2gray(data.hubble_deep_field()[540:700, 640:800]) ** 2
truth = rng.poisson(light) + rng.normal(0, READ_NOISE, light.shape)

bad = rng.random(truth.shape) < 0.003
rays = np.zeros(truth.shape, bool)
for ends in [(20, 30, 45, 38), (120, 20, 123, 50), (108, 70, 88, 98), (60, 140, 90, 145)]:
    rays[draw.line(*ends)] = True
saturated = np.zeros(truth.shape, bool)
saturated[:, 113:116] = True

counts = np.where(bad, rng.choice([0, 50_000], truth.shape), truth) + 20_000 * rays
counts[saturated] = 65_535
counts = counts.astype(np.float32)

wcs = WCS(naxis=2)
wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [189.2, 62.2]
wcs.wcs.crpix, wcs.wcs.cdelt = [80, 80], [-1e-5, 1e-5]
CCDData(
    counts,
    unit=units.electron,
    mask=bad | rays | saturated,
    uncertainty=StdDevUncertainty(np.sqrt(np.maximum(counts, 0) + READ_NOISE**2)),
    wcs=wcs,
    meta={"OBJECT": "HDF", "EXPTIME": 1200.0},
).write(folder / "frame.fits")

# %%
# In Python
# ---------
# ``fit_restore`` understands the mask of a ``CCDData``, and returns a ``CCDData``. Unit,
# coordinates and header are kept. The mask is gone, because nothing is missing any more. The
# uncertainty of a filled pixel is NaN: what was measured there says nothing about the fill,
# and skinpaint makes up no number.

frame = CCDData.read(folder / "frame.fits")
inpainter = Inpainter("dct")
restored = inpainter.fit_restore(frame)
print(restored.unit, restored.header["OBJECT"], restored.wcs.wcs.crval, "mask:", restored.mask)
unsure = np.isnan(restored.uncertainty.array)
print("NaN exactly where something was filled:", np.array_equal(unsure, frame.mask))
print(inpainter.solution_.status)
restored.write(folder / "restored.fits")

# %%
# The last sentence is about the star. Its peak is in the saturated column, and filled pixels
# stay within the range of the known ones. ``bounds=(0, 60_000)`` would let them be brighter,
# but no method can know how bright.

# %%
# How wrong is it?
# ----------------
# The root mean square of the error in electrons. The noise of the sky is 17.

methods = ("laplace", "biharmonic", "dct")
answers = {name: Inpainter(name).fit_restore(frame).data for name in methods}
places = {"bad pixels": bad & ~saturated, "rays": rays & ~saturated, "column": saturated}
for name, image in answers.items():
    print(f"{name:10}", end="")
    for place, at in places.items():
        print(f"   {place} {np.sqrt(np.mean((image - truth)[at] ** 2)):4.0f}", end="")
    print()

# %%
# The mean hides that nearly all of the error is where an object is. So measure what an
# astronomer measures, the light in an aperture:

rows, columns = np.ogrid[:160, :160]
objects = {"star": (38, 114, 9), "galaxy": (98, 84, 12), "pair": (56, 16, 15)}
for name, (row, column, radius) in objects.items():
    aperture = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    print(f"{name:6} {frame.mask[aperture].mean():4.0%} missing", end="")
    for method, image in answers.items():
        gained = (image - truth)[aperture].sum() / (truth[aperture] - SKY).sum()
        print(f"   {method} {gained:+.1%}", end="")
    print()

# %%
# The star has lost its peak, and is too faint in every answer. Flag it: ``mask_`` says which
# apertures hold filled pixels. The galaxy under the cosmic ray is measured to a thousandth.
# One more thing to know: filled sky is smoother than measured sky, because no noise is
# invented.

pictures = {"frame": counts, "restored": restored.data, "truth": truth}
figure, grid = plt.subplots(2, 2, figsize=(8, 7.4), layout="constrained")
axes = grid.ravel()
for ax, (name, image) in zip(axes, pictures.items(), strict=False):
    ax.imshow(np.sqrt(np.clip(image, 0, None)), vmin=10, vmax=100, cmap="gray")
    ax.set_title(name)
shown = axes[3].imshow(restored.data - truth, cmap="RdBu", vmin=-2000, vmax=2000)
axes[3].set_title("restored minus truth")
figure.colorbar(shown, ax=axes[3], label="electrons", shrink=0.8)
for name, (row, column, radius) in objects.items():
    axes[0].add_patch(plt.Circle((column, row), radius, fill=False, color="orange"))
    axes[0].text(max(column - 14, 1), row + radius + 9, name, color="orange")
for ax in axes:
    ax.set_axis_off()

# %%
# On the command line
# -------------------
# The command restores the first image of the file. Headers and other HDUs are copied byte for
# byte, so the HDU UNCERT still holds the old uncertainties, and MASK says which of them are
# void.

fits.writeto(folder / "bad.fits", frame.mask.astype(np.uint8))
shell("skinpaint restore frame.fits --mask bad.fits -o by-command.fits")

with fits.open(folder / "frame.fits") as old, fits.open(folder / "by-command.fits") as new:
    print("the same pixels as in Python:", np.array_equal(new[0].data, restored.data))
    print("the same headers:", all(new[k].header == old[k].header for k in range(len(old))))
scratch.cleanup()
plt.show()
