"""
A microscopy stack
==================

Seven planes, two channels, 16 bits. The camera has hot pixels and a dead region, and the laser
failed during one plane of one channel. We restore the stack on the command line and in Python.
The truth is known here, so the errors are too.
"""

import shlex
import sys
import tempfile
import warnings
from contextlib import chdir, redirect_stderr
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from skimage import color, data, exposure, filters

from skinpaint import Inpainter, io
from skinpaint.cli import main

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)


def shell(command):
    """Run a command in the folder, and print what it says."""
    print(f"$ {command}")
    with chdir(folder), redirect_stderr(sys.stdout), warnings.catch_warnings(action="default"):
        main(shlex.split(command)[1:])


# %%
# The stack
# ---------
# The two dyes of a section of tissue are the channels. Each plane shows the section two pixels
# further along both axes, so structures run obliquely through the planes. The file is an
# ImageJ TIFF. It says that planes are 1 µm apart and pixels 0.25 µm.

hed = color.rgb2hed(data.immunohistochemistry())
dyes = [
    exposure.rescale_intensity(hed[..., k], tuple(np.percentile(hed[..., k], (1, 99.8))))
    for k in (0, 2)
]
crops = np.array(
    [[dye[k : k + 96, k - 40 : k + 56] for dye in dyes] for k in range(310, 324, 2)]
)
light = 500 + 11_500 * filters.gaussian(crops, (0, 0, 1, 1))  # axes Z, C, Y and X
truth = np.random.default_rng(0).poisson(light).astype(np.uint16)  # photons are counted

hot = np.random.default_rng(1).random((96, 96)) < 0.005
dead = np.zeros((96, 96), bool)
dead[40:48, 50:62] = True

stack = truth.copy()
stack[..., hot] = 65535
stack[..., dead] = 0
stack[4, 0] = 100  # the laser was off
voxel = {"resolution": (4, 4), "metadata": {"axes": "ZCYX", "spacing": 1.0, "unit": "um"}}
tifffile.imwrite(folder / "cells.tif", stack, imagej=True, **voxel)

# %%
# Frames or a volume
# ------------------
# A dark frame shows which pixels of a camera are bad. They are the same in every plane and in
# both channels, so the mask is one picture:

io.write(folder / "camera.png", np.where(hot | dead, 255, 0).astype(np.uint8))
shell("skinpaint restore cells.tif --mask camera.png -o volume.tif")

# %%
# The file names its axes, so the command knows that Z, Y and X are a volume and that C are
# channels. ``--axes`` gives them other names. With T in the place of Z the planes are a time
# series, and each is restored on its own:

shell("skinpaint restore cells.tif --mask camera.png --axes TCYX -o series.tif")

# %%
# The lost plane
# --------------
# On its own a plane without any known pixel cannot be restored. In a volume it can be
# interpolated. The plane is missing in one channel only, so the mask has the shape of the
# stack. On the command line, a TIFF with the same axes is such a mask. In Python:

mask = np.broadcast_to(hot | dead, stack.shape).copy()
mask[4, 0] = True
inpainter = Inpainter(channel_axis=1, spacing=(4, 1, 1)).fit(stack, mask=mask)
print(inpainter.solution_.status)

# %%
# How wrong is it?
# ----------------
# The root mean square of the error, in counts. The noise of the photons alone is about 65.


def error(restored, where):
    return np.sqrt(np.mean((restored[where].astype(float) - truth[where]) ** 2))


lost = np.zeros_like(mask)
lost[4, 0] = True
places = {"hot pixels": hot & ~lost, "dead region": dead & ~lost, "lost plane": lost}
answers = {
    "volume": tifffile.imread(folder / "volume.tif"),
    "series": tifffile.imread(folder / "series.tif"),
    "volume, with the lost plane": inpainter.restored_,
}
for name, restored in answers.items():
    errors = [f"{place} {error(restored, at):4.0f}" for place, at in places.items()]
    print(f"{name:28}", "   ".join(errors))
neighbours = (truth[3, 0].astype(float) + truth[5, 0]) / 2
print(f"mean of planes 3 and 5: {np.sqrt(np.mean((neighbours - truth[4, 0]) ** 2)):.0f}")

# %%
# Hot pixels come back nearly within the noise. The inside of the dead region is a guess: it
# looks plausible, and is wrong by more than ten times the noise. The volume is better there
# than the series, because its planes help each other. The two commands left the lost plane as
# it was, because their mask does not hold it. The third answer is closer to it than the mean
# of the planes beside it, but blurred. Do not count or measure in it.

column = {"recorded": stack, "restored": inpainter.restored_, "truth": truth}
figure, axes = plt.subplots(2, 4, figsize=(10, 5), layout="constrained")
for row, (channel, what) in enumerate([(1, "camera defects"), (0, "lost plane")]):
    for ax, (name, image) in zip(axes[row], column.items(), strict=False):
        ax.imshow(image[4, channel], cmap="gray", vmin=0, vmax=12_000)
        ax.set_title(f"{what}: {name}", fontsize=10)
    difference = inpainter.restored_[4, channel].astype(float) - truth[4, channel]
    shown = axes[row, 3].imshow(difference, cmap="RdBu", vmin=-3000, vmax=3000)
    axes[row, 3].set_title("restored minus truth", fontsize=10)
figure.colorbar(shown, ax=axes[:, 3], label="counts", shrink=0.8)
for ax in axes.flat:
    ax.set_axis_off()

# %%
# What is kept
# ------------
# Known pixels are unchanged, and the axes and the voxel size are in the new file. ``mask_``
# says what was filled; on the command line ``--mask-out filled.tif`` writes it. Keep it with
# the stack.

with tifffile.TiffFile(folder / "volume.tif") as file:
    print(file.series[0].axes, file.imagej_metadata["spacing"], file.imagej_metadata["unit"])
known = ~np.broadcast_to(hot | dead, stack.shape)
print("known pixels unchanged:", np.array_equal(answers["volume"][known], stack[known]))
print(f"filled: {inpainter.mask_.mean():.1%} of the values")
scratch.cleanup()
plt.show()
