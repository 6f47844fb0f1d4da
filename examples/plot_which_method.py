"""
Compare methods on one picture
==============================

What was under the scratches is unknown, but the pixels beside them are known. ``compare``
hides some of these in the same shapes, lets every method predict them, and ranks the methods.
It does so several times, until it is clear which method is first.
"""

import matplotlib.pyplot as plt
from skimage import data

from skinpaint import GradientDescent, Laplace, PlugAndPlay, compare
from skinpaint.damage import scratches
from skinpaint.scores import psnr

# %%
# A scratched picture
# -------------------
# A wall of bricks has straight edges, and all bricks look alike.

wall = data.brick()[100:228, 100:228]
damaged, mask = scratches(wall, count=12, width=2, rng=0)

# %%
# Ask the picture
# ---------------
# Methods are given by name, as objects with settings, or as a dict with names of your own. If
# none is given, all methods of the library take part.

comparison = compare(
    damaged,
    mask,
    {
        "gd": GradientDescent(lags=(1,)),
        "laplace": Laplace(),
        "biharmonic": "biharmonic",
        "non-local means": PlugAndPlay(denoise_function="nl_means"),
        "total variation": PlugAndPlay(denoise_function="tv_chambolle"),
    },
)
print(comparison)

# %%
# The sheet shows the pictures in this order. Below each is the place where they differ most,
# enlarged.

figure, ax = plt.subplots(figsize=(9, 12), layout="constrained")
ax.imshow(comparison.sheet())
ax.set_axis_off()

# %%
# Was it right?
# -------------
# Here the truth is known. Predicted and true figures differ, because they are about different
# pixels, and around the hidden ones more is missing. The order is what counts.

for entry in comparison.entries:
    truly = psnr(wall, entry.restored, where=mask)
    predicted = f"{entry.psnr:.1f} ± {entry.margin:.1f} dB"
    print(f"{entry.name:16} predicted {predicted}, truly {truly:.1f} dB")
plt.show()
