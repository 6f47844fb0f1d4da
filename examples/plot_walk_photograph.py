"""
A scanned photograph
====================

A colour print was scanned to a TIFF with 16 bits and a colour profile. It has scratches and
dust. We draw the mask in three ways, restore the scan, read the report, and compare the
methods. In the end the same is done with a JPEG. The truth is known here.
"""

import json
import shlex
import sys
import tempfile
import warnings
from contextlib import chdir, redirect_stderr
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from PIL import Image, ImageCms
from skimage import data, draw, filters

from skinpaint import io
from skinpaint.cli import main
from skinpaint.scores import psnr

scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)


def shell(command):
    """Run a command in the folder, and print what it says."""
    print(f"$ {command}")
    with chdir(folder), redirect_stderr(sys.stdout), warnings.catch_warnings(action="default"):
        main(shlex.split(command)[1:])


# %%
# The scan
# --------
# A scratch is bright, and its edges are soft: the pixels beside it are a little too bright as
# well. So is dust.

truth = data.astronaut()[:192, 130:322].astype(np.uint16) * 257
rng = np.random.default_rng(4)
drawn = np.zeros(truth.shape[:2], bool)
for _ in range(7):
    start = rng.integers(0, 192, 2)
    end = np.clip(start + rng.integers((30, -60), (120, 60)), 0, 191)
    drawn[draw.line(*start, *end)] = True
for row, column in rng.integers(3, 188, (25, 2)):
    drawn[draw.disk((row, column), rng.uniform(1, 2.5))] = True
opacity = np.clip(1.6 * filters.gaussian(drawn.astype(float), 0.7), 0, 1)[..., None]
scan = (truth + opacity * (65_535 - truth)).round().astype(np.uint16)

profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
tifffile.imwrite(
    folder / "photo.tif",
    scan,
    photometric="rgb",
    iccprofile=profile,
    resolution=(600, 600),
    resolutionunit="inch",
)

# %%
# Three ways to draw a mask
# -------------------------
# In a paint program, paint over the damage. Save it as white on black, as red strokes on a
# copy of the photograph, or as red strokes on a transparent layer. Here NumPy holds the brush.
# It follows the scratches, but not their soft edges.

copy = (scan // 257).astype(np.uint8)
white = np.where(drawn, 255, 0).astype(np.uint8)
red = np.where(drawn[..., None], [255, 0, 0], copy).astype(np.uint8)
layer = np.dstack([white, np.zeros_like(white), np.zeros_like(white), white])
for name, pixels in {"white": white, "red": red, "layer": layer}.items():
    Image.fromarray(pixels).save(folder / f"{name}.png")

shell("skinpaint restore photo.tif --mask white.png -o from-white.tif")
shell("skinpaint restore photo.tif --mask red.png -o from-red.tif")
shell("skinpaint restore photo.tif --mask layer.png -o from-layer.tif")

answers = [tifffile.imread(folder / f"from-{name}.tif") for name in ("white", "red", "layer")]
print("the same answer:", all(np.array_equal(answer, answers[0]) for answer in answers))

# %%
# The command recognises strokes and layers by their contents, and says so. Check that the
# share of the pixels is what you painted.

# %%
# A pixel wider
# -------------
# The mask leaves out the soft edges, so a ghost of every scratch remains. ``--grow 1`` fills
# one pixel more all around. ``--mask-out`` writes what was filled, and ``--report`` what was
# done.

shell(
    "skinpaint restore photo.tif --mask white.png --grow 1 -o restored.tif"
    " --mask-out wider.png --report report.json"
)
report = json.loads((folder / "report.json").read_text())
for name in ("missing", "fraction", "method", "settings", "converged", "status", "version"):
    print(f"{name}: {report[name]}")

# %%
# How good is it?
# ---------------
# PSNR of the pixels that are damaged, drawn or not:

damaged = (scan != truth).any(axis=-1)[..., None]
pictures = {
    "scan": scan,
    "drawn mask": answers[0],
    "--grow 1": tifffile.imread(folder / "restored.tif"),
    "truth": truth,
}
for name in ("scan", "drawn mask", "--grow 1"):
    print(f"{name:10} {psnr(truth, pictures[name], where=damaged):.1f} dB")

# %%
# Under thin scratches, nearly everything can be told from what is beside them. Each filled
# pixel is a guess all the same, so keep the scan and the mask.

figure, axes = plt.subplots(2, 4, figsize=(10, 5.3), layout="constrained")
for column, (name, image) in enumerate(pictures.items()):
    axes[0, column].imshow(image // 257)
    axes[0, column].set_title(name, fontsize=10)
    axes[1, column].imshow(image[70:118, 88:136] // 257)
for ax in axes.flat:
    ax.set_axis_off()

# %%
# The new file has 16 bits, the colour profile and the resolution of the old one:

with tifffile.TiffFile(folder / "restored.tif") as file:
    tags = file.pages[0].tags
    print(file.pages[0].dtype, tags["XResolution"].value, tags["ResolutionUnit"].value.name)
    print("the same profile:", tags["InterColorProfile"].value == profile)

# %%
# Which method?
# -------------
# ``compare`` hides known pixels in the same shapes, lets the methods predict them, and ranks
# the methods. Its mask is the wider one:

shell(
    "skinpaint compare photo.tif --mask wider.png -o sheet.png"
    " --methods dct laplace biharmonic gd"
)

# %%
# The sheet shows the answers side by side. Below each is the place where they differ most,
# enlarged:

figure, ax = plt.subplots(figsize=(8, 8.5), layout="constrained")
ax.imshow(io.read(folder / "sheet.png")[0])
ax.set_axis_off()

# %%
# A JPEG
# ------
# Writing a JPEG changes every pixel a little, the known ones too. So the answer to a JPEG is a
# PNG. If you name a JPEG as the output, the command says what that changed:

Image.fromarray(copy).save(folder / "photo.jpg", quality=90)
shell("skinpaint restore photo.jpg --mask white.png --grow 1")
shell("skinpaint restore photo.jpg --mask white.png --grow 1 -o restored.jpg")

scratch.cleanup()
plt.show()
