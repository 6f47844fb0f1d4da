"""
Texture, edges and holes
========================

A smooth fill has no texture. "dct" learns texture from the rest of the picture: from the few
cosines that describe its blocks, and from similar patches. This page shows three kinds of
damage, each restored by four methods.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from skinpaint import SparseDCT, inpaint
from skinpaint.damage import random_pixels, text
from skinpaint.scores import psnr

METHODS = {
    "laplace": "laplace",
    "biharmonic": "biharmonic",
    "dct": "dct",
    "SparseDCT.high()": SparseDCT.high(),
}


def restore_and_show(title, truth, mask):
    """The picture, what is left of it, and the answers, from left to right."""
    print(f"{title}: {100 * mask.mean():.0f} % missing")
    _, axes = plt.subplots(2, 3, figsize=(9, 6.2), layout="constrained")
    pictures = {"truth": truth, "damaged": np.where(mask, 255, truth)}
    for name, method in METHODS.items():
        restored = inpaint(truth, mask, method=method)
        score = psnr(truth, restored, where=mask)
        print(f"  {name:18} {score:.1f} dB")
        pictures[f"{name}, {score:.1f} dB"] = restored
    for ax, (caption, picture) in zip(axes.flat, pictures.items(), strict=True):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        ax.set_title(caption, fontsize="medium")
        ax.set_axis_off()


# %%
# Pixels at random
# ----------------
# Four of five are missing.

photographer = data.camera()[40:200, 160:320]
restore_and_show("random", photographer, random_pixels(photographer, fraction=0.8, rng=0)[1])

# %%
# Text
# ----

wall = data.brick()[60:220, 60:220]
restore_and_show("text", wall, text(wall)[1])

# %%
# Discs and squares
# -----------------
# The inside of a hole that is wider than the texture around it remains a guess. But there are
# no seams, and edges continue into the hole.

y, x = np.ogrid[:160, :160]
holes = np.zeros((160, 160), bool)
for i, j, radius in [(25, 30, 4), (30, 120, 8), (75, 60, 12), (130, 40, 16), (120, 80, 4)]:
    holes |= (y - i) ** 2 + (x - j) ** 2 <= radius**2
holes[90:122, 110:142] = True
astronaut = data.astronaut()[60:220, 150:310].mean(axis=-1).round().astype(np.uint8)
restore_and_show("holes", astronaut, holes)
restore_and_show("holes", wall, holes)
plt.show()
