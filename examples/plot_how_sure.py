"""
How sure is it? In pictures
===========================

A filled pixel is a prediction, and ``std()`` tells how far it may be off. What stands behind
it is told in :doc:`/explanation/how_sure`.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from skinpaint import Inpainter
from skinpaint.damage import random_pixels

photograph = data.camera()[30:286, 100:356].astype(float)
damaged, mask = random_pixels(photograph, fraction=0.8, rng=0)
rows, columns = np.indices(mask.shape)
mask[(rows - 70) ** 2 + (columns - 60) ** 2 < 22**2] = True
mask[(rows - 190) ** 2 + (columns - 190) ** 2 < 22**2] = True
inpainter = Inpainter("laplace").fit(damaged, mask=mask)
std = inpainter.std()
print(inpainter.solution_.status)

# %%
# Edges, and the middle of holes
# ------------------------------
# The standard deviation is in grey levels. It is small in the sky and large at edges, and
# grows towards the middle of the two discs, which are missing as a whole. The true error, on
# the right, is what it predicts.

error = np.abs(inpainter.restored_ - photograph)
top = np.quantile(std, 0.995)
figure, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
pictures = {
    "damaged": np.where(mask, 255, damaged),
    "restored": inpainter.restored_,
    "standard deviation": std,
    "true error": error,
}
for ax, (name, picture) in zip(axes, pictures.items(), strict=True):
    grey = name in ("damaged", "restored")
    shown = ax.imshow(
        picture, cmap="gray" if grey else "inferno", vmin=0, vmax=255 if grey else top
    )
    ax.set_title(name, fontsize=11)
    ax.set_axis_off()
figure.colorbar(shown, ax=axes[2:], label="grey levels", shrink=0.8)

# %%
# Does it hold?
# -------------
# Nine of ten true values should be in intervals of 90 %, five of ten in those of 50 %, and so
# on. Intervals that are right for the whole picture may still be wrong for its parts, so the
# missing pixels are divided into three groups by the predicted standard deviation. Dotted: one
# width for all pixels, as wide as it takes to be right for the whole.

levels = np.linspace(0.1, 0.95, 12)
ends = [inpainter.interval(float(level)) for level in levels]
groups = np.digitize(std, np.quantile(std[mask], [1 / 3, 2 / 3]))
figure, ax = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
for k, name in enumerate(("surest third", "middle third", "least sure third")):
    here = mask & (groups == k)
    inside = [((low <= photograph) & (photograph <= high))[here].mean() for low, high in ends]
    widths = np.quantile(error[mask], levels)
    ax.plot(levels, inside, "o-", color=f"C{k}", markersize=3, label=name)
    ax.plot(levels, [(error[here] <= width).mean() for width in widths], ":", color=f"C{k}")
ax.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
ax.set(xlabel="level of the intervals", ylabel="share of true values inside")
ax.legend(frameon=False)

# %%
# Images that are equally possible
# --------------------------------
# Samples agree with all known pixels, and differ where nothing is known. What is computed from
# each of them has a spread, which is its error bar.

samples = inpainter.sample(3)
hole = (slice(160, 220), slice(160, 220))
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
named = {"restored": inpainter.restored_} | {
    f"sample {k + 1}": sample for k, sample in enumerate(samples)
}
for ax, (name, picture) in zip(axes, named.items(), strict=True):
    ax.imshow(picture[hole], cmap="gray", vmin=0, vmax=255)
    ax.set_title(name, fontsize=11)
    ax.set_axis_off()
plt.show()
