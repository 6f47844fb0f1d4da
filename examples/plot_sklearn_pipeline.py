"""
Restoration as a step of a scikit-learn pipeline
================================================

NaN marks the missing pixels, so the pipeline needs no mask. An array is one image. A list
holds several images, of any shapes.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data, img_as_float
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skinpaint import GradientDescent, Inpainter, Laplace

# %%
# Damaged patches
# ---------------
# Patches of three textures; in each of them half of the pixels are lost.

rng = np.random.default_rng(0)
textures = {"brick": data.brick(), "grass": data.grass(), "gravel": data.gravel()}
patches, kinds = [], []
for kind, texture in textures.items():
    for _ in range(12):
        row, column = rng.integers(0, 512 - 48, size=2)
        patches.append(img_as_float(texture[row : row + 48, column : column + 48]))
        kinds.append(kind)
damaged = [np.where(rng.random(patch.shape) < 0.5, np.nan, patch) for patch in patches]

# %%
# Which method predicts best?
# ---------------------------
# Without a truth, ``Inpainter.score`` hides some of the known pixels and scores how well they
# are predicted, as PSNR in dB. ``GridSearchCV`` can therefore choose a method on nothing but
# the damaged images.

methods = {
    "gd": GradientDescent(),
    "gd without the even and odd terms": GradientDescent(lags=(1,)),
    "laplace": Laplace(),
}
search = GridSearchCV(Inpainter(), {"method": list(methods.values())}, cv=2).fit(damaged)
for name, predicted in zip(methods, search.cv_results_["mean_test_score"], strict=True):
    truly = Inpainter(methods[name]).score(damaged, patches)
    print(f"{name}: hidden pixels {predicted:.1f} dB, against the truth {truly:.1f} dB")

# %%
# The two columns measure different pixels, so compare their order only. It is the same. In the
# table of :doc:`/start/which_method`, "laplace" is at least as good on random pixels. Here it
# is not, because these patches have flat regions and straight edges.

print(search.best_params_)

# %%
# Restore, measure, classify
# --------------------------
# Three numbers describe a patch: its standard deviation, and the mean difference between
# neighbours down and across. They need patches without gaps, so the first step restores them.


def describe(images):
    return np.array(
        [
            [x.std(), np.abs(np.diff(x, axis=0)).mean(), np.abs(np.diff(x, axis=1)).mean()]
            for x in images
        ]
    )


pipeline = make_pipeline(
    search.best_estimator_,
    FunctionTransformer(describe),
    StandardScaler(),
    LogisticRegression(C=100),
)
train, test = slice(0, None, 2), slice(1, None, 2)
pipeline.fit(damaged[train], kinds[train])
correct = pipeline.score(damaged[test], kinds[test])
print(f"{correct:.0%} of the held-out patches are named correctly")

# %%
# What the classifier saw
# -----------------------

restored = pipeline[0].transform(damaged[test])
figure, axes = plt.subplots(3, 6, figsize=(10, 5.6), layout="constrained")
for column, i in enumerate(range(0, 18, 3)):
    rows = {"damaged": damaged[test][i], "restored": restored[i], "original": patches[test][i]}
    for ax, (name, image) in zip(axes[:, column], rows.items(), strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], title=kinds[test][i] if name == "damaged" else "")
        if column == 0:
            ax.set_ylabel(name)
plt.show()
