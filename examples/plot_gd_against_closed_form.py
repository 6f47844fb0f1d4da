"""
Gradient descent against the closed form
========================================

The sum of squared differences between neighbours has a known minimum: the solution of a
sparse linear system. So it can test the descent. A descent from the damaged picture uses only
gradients, and must arrive at the same answer.
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from skimage import data, img_as_float

from skinpaint import GradientDescent, Inpainter, Laplace, inpaint
from skinpaint.damage import random_pixels

image = img_as_float(data.coffee()[60:188, 180:308])
damaged, mask = random_pixels(image, fraction=0.7, channel_axis=-1, rng=0)

# %%
# The closed form
# ---------------
# ``solver="direct"`` factorises the matrix. The residual says how well the equations are met.

closed = Inpainter(Laplace(solver="direct"), channel_axis=-1).fit(damaged, mask=mask)
print(closed.solution_.status)

# %%
# Three descents on the same energy
# ---------------------------------
# - Plain steps have a fixed length. It must be below 1/8: a pixel has four neighbours, so the
#   gradient changes at most 16 times as fast as the picture, and steps longer than 2/16
#   diverge.
# - Accelerated steps find their own length. Here the energy is a function of our own, of which
#   nothing but the gradient is known.
# - The built-in energy is known better. Its descent is preconditioned by multigrid, which
#   solves linear systems.
#
# The chart shows the largest difference of any pixel from the closed form.


def squares(x):
    return np.sum((x[1:] - x[:-1]) ** 2) + np.sum((x[:, 1:] - x[:, :-1]) ** 2)


descents = {
    "plain, step 1/16": GradientDescent(
        energy="dirichlet", start="damaged", step_size=1 / 16, tol=1e-10, max_iter=3000
    ),
    "accelerated": GradientDescent(energy=squares, start="damaged", tol=1e-10, max_iter=3000),
    "preconditioned": GradientDescent(energy="dirichlet", start="damaged", tol=1e-10),
}
errors, restored = {}, {}
for name, method in descents.items():
    errors[name] = []

    def watch(record, restore, distance=errors[name]):
        distance.append(np.abs(restore() - closed.restored_).max())

    restored[name] = inpaint(damaged, mask, method=method, channel_axis=-1, callback=watch)
    print(
        f"{name}: {len(errors[name])} iterations, {errors[name][-1]:.1e} from the closed form"
    )

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, distance in errors.items():
    ax.loglog(range(1, len(distance) + 1), distance, label=name)
ax.set(
    xlabel="iteration",
    ylabel="largest difference of any pixel",
    title="Distance from the closed form",
)
ax.legend(frameon=False)

# %%
# The two answers
# ---------------
# Side by side, the two answers look the same, as they should.

pictures = {
    "damaged": damaged,
    "closed form": closed.restored_,
    "descent": restored["accelerated"],
    "original": image,
}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture)
    ax.set_title(title, fontsize=11)
    ax.set_axis_off()
plt.show()
