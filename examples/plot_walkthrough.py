"""
Gradient descent, step by step
==============================

Nine pixels in ten of a photograph are replaced by black or white. We walk downhill on an
energy that says "smooth" until the picture is back, look at it on the way, and then ask how
far downhill we really came.
"""

import matplotlib.pyplot as plt
from skimage import data

from skinpaint import GradientDescent, Inpainter
from skinpaint.damage import random_pixels
from skinpaint.scores import psnr

# %%
# The damage
# ----------
# A crop of scikit-image's cameraman keeps this page quick; the whole picture works the same.

photograph = data.camera()[30:222, 160:352]
damaged, mask = random_pixels(photograph, fraction=0.9, rng=0)
print(f"{mask.mean():.1%} of the pixels are missing")

# %%
# The descent
# -----------
# ``GradientDescent.classic()`` takes 500 plain steps down the gradient that autograd computes.
# A callback is called after every iteration, and can ask for the picture so far.

frames = {}


def keep(record, restore):
    if record.n_iter in (1, 3, 10, 30, 100, 500):
        frames[record.n_iter] = restore()


classic = Inpainter(GradientDescent.classic()).fit(damaged, mask=mask, callback=keep)
print(classic.solution_.status)

# %%
# The first steps are long, and move the black and white grains a lot. Around the tenth step
# the outline of the man appears. The other steps add detail.

shown = {"damaged": damaged}
shown |= {
    f"{n} step{'s' * (n > 1)}: {psnr(photograph, frame):.1f} dB": frame
    for n, frame in frames.items()
}
shown["original"] = photograph

figure, axes = plt.subplots(2, 4, figsize=(10, 5.4), layout="constrained")
for ax, (title, image) in zip(axes.flat, shown.items(), strict=True):
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set_title(title, fontsize=11)
    ax.set_axis_off()

# %%
# How far down did we come?
# -------------------------
# The energy is convex, so a descent that comes to rest has found the lowest energy. The
# default of ``method="gd"`` is accelerated: it starts from the harmonic fill, is
# preconditioned by multigrid, chooses its own steps, and proves how near the minimum it is
# (:ref:`sphx_glr_gallery_plot_how_far.py`). The classic descent ends slightly above the
# minimum: its last steps all have the same length, so it cannot come to rest where norms have
# corners. ``bounds="dtype"`` gives both the same units.

accelerated = Inpainter(GradientDescent(tol=1e-6), bounds="dtype").fit(damaged, mask=mask)
print(accelerated.solution_.status)

lowest = accelerated.solution_.energy
above = {
    "classic": [record.energy / lowest - 1 for record in classic.history_],
    "accelerated": [record.energy / lowest - 1 for record in accelerated.history_[:-1]],
}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for label, excess in above.items():
    ax.loglog(range(1, len(excess) + 1), excess, label=label)
ax.set(
    xlabel="iteration",
    ylabel="energy above the lowest, relative",
    title="Energy on the way down",
    ylim=(1e-7, 20),
)
ax.legend(frameon=False)

reached = next(
    n for n, excess in enumerate(above["accelerated"], 1) if excess < above["classic"][-1]
)
print(f"classic ends {above['classic'][-1]:.2%} above the lowest energy")
print(f"the accelerated descent is below that from iteration {reached} on")

# %%
# Another idea of smooth
# ----------------------
# With squares in place of norms, no descent is needed: the minimum solves a sparse linear
# system. This is ``method="laplace"``, and
# :ref:`sphx_glr_gallery_plot_gd_against_closed_form.py` shows that descent on the same squares
# arrives at the same picture. On this photograph the squares do better by the measure of PSNR.
# Lower energy is not the same as closer to the truth: the energy is only a guess of what
# photographs are like.

laplace = Inpainter("laplace").fit(damaged, mask=mask)

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (name, inpainter) in zip(
    axes, {"classic": classic, "gd": accelerated, "laplace": laplace}.items(), strict=True
):
    ax.imshow(inpainter.restored_, cmap="gray", vmin=0, vmax=255)
    ax.set_title(f"{name}: {psnr(photograph, inpainter.restored_):.1f} dB", fontsize=11)
    ax.set_axis_off()
plt.show()
