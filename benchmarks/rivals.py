"""Who takes part: ours and its peers, each as one function from image and mask to the filled image.

The algebraic peers solve the very system that ours solves, to the same relative residual. Assembling their matrix is
part of their call, as it is of a user's; how long it took is listed separately.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np
import pyamg
from quality import frequency_selective
from scipy import ndimage, sparse
from scipy.sparse.linalg import LinearOperator, cg, splu
from skimage.restoration import inpaint_biharmonic

from skinpaint import Inpainter, inpaint
from skinpaint.methods import METHODS

__all__ = ["TASKS", "Filled", "Rival", "difference", "proof", "residual"]


@dataclass(frozen=True, eq=False)
class Filled:
    """What a rival returns.

    Attributes
    ----------
    image : ndarray
        The restored image, in the dtype of the damaged one.
    values : ndarray or None
        What was solved for, before rounding, with the known values mapped to [0, 1]; None if it is not told.
    n_iter : int or None
        Number of iterations, where there are any.
    assembly : float
        Seconds that went into assembling the matrix.
    clipped : bool
        Whether `values` were kept within [0, 1].
    """

    image: np.ndarray
    values: np.ndarray | None = None
    n_iter: int | None = None
    assembly: float = 0.0
    clipped: bool = False


Fill = Callable[[np.ndarray, np.ndarray, float], Filled]  # image, mask, relative residual


@dataclass(frozen=True)
class Rival:
    """A function that fills, and up to how many missing pixels of an image or a volume it is asked to."""

    name: str
    fill: Fill
    pixels: float = np.inf
    voxels: float = np.inf

    def takes(self, mask: np.ndarray, slow: bool) -> bool:
        limit = self.voxels if mask.ndim > 2 else self.pixels
        return limit > 0 and (slow or np.count_nonzero(mask) <= limit)


def ours(method: str) -> Fill:
    """Time the public call and nothing else; :func:`proof` says what it did."""

    def fill(image: np.ndarray, mask: np.ndarray, tol: float) -> Filled:
        return Filled(inpaint(image, mask, method=method, channel_axis=-1 if image.ndim > mask.ndim else None))

    return fill


def proof(method: str, image: np.ndarray, mask: np.ndarray) -> Filled:
    """The same call once more, for its values and its iterations."""
    inpainter = Inpainter(method).fit(image, mask=mask)
    solution = inpainter.solution_
    return Filled(inpainter.restored_, solution.values[..., 0], solution.n_iter)


def residual(values: np.ndarray, mask: np.ndarray, order: int) -> float:
    """``|L_UU x_U + L_UK x_K| / |L_UK x_K|`` from the definition; for `order` 2 with ``L L`` for ``L``.

    Repeating the rim beyond the border makes the differences there zero, which is the Neumann condition.
    """

    def size(x: np.ndarray) -> float:
        for _ in range(order):
            x = ndimage.laplace(x, mode="nearest")
        return float(np.linalg.norm(x[mask]))

    x = values.astype(float)
    return size(x) / size(np.where(mask, 0, x))


def difference(ours: Filled, other: Filled) -> float | None:
    """Largest difference between two answers before rounding, as a fraction of the range of the known values."""
    if ours.values is None or other.values is None:
        return None
    values = np.clip(ours.values, 0, 1) if other.clipped else ours.values
    return float(np.abs(values - other.values).max())


def opencv(flag: int) -> Fill:
    def fill(image: np.ndarray, mask: np.ndarray, tol: float) -> Filled:
        return Filled(cv2.inpaint(image, mask.view(np.uint8), 3, flag))

    return fill


def scikit_image(image: np.ndarray, mask: np.ndarray, tol: float) -> Filled:
    filled = inpaint_biharmonic(image, mask)  # integers come back as floats in [0, 1]
    known = filled[~mask]
    values = (filled - known.min()) / (known.max() - known.min())
    whole = image.dtype.kind == "u"
    out = np.rint(np.iinfo(image.dtype).max * filled).astype(image.dtype) if whole else filled
    return Filled(out, values, clipped=True)


def algebraic(order: int, solve: Callable[[sparse.csr_array, np.ndarray, np.ndarray, float], tuple]) -> Fill:
    """Assemble the system, scaled as ours is, have it solved, and write the answer back."""

    def fill(image: np.ndarray, mask: np.ndarray, tol: float) -> Filled:
        known = image[~mask]
        low, scale = float(known.min()), float(known.max()) - float(known.min())
        values = np.where(mask, 0, (image - low) / scale)
        began = perf_counter()
        A, b = system(values, mask, order)
        assembly = perf_counter() - began
        values[mask], n_iter = solve(A, b, mask, tol)
        out = image.copy()
        filled = np.clip(values[mask], 0, 1) * scale + low
        out[mask] = np.rint(filled) if image.dtype.kind == "u" else filled
        return Filled(out, values, n_iter, assembly)

    return fill


def system(values: np.ndarray, mask: np.ndarray, order: int) -> tuple[sparse.csr_array, np.ndarray]:
    """The matrix of the unknowns and the right-hand side; `values` are zero where unknown."""
    b = values
    for _ in range(order):
        b = ndimage.laplace(b, mode="nearest")
    b = b[mask] * (-1) ** (order + 1)
    if order == 1:
        return laplacian(mask), b
    near = ndimage.binary_dilation(mask)  # what L of the unknowns reaches
    L = laplacian(near)
    columns = L[:, mask[near]]
    return (columns.T @ columns).tocsr(), b


def laplacian(at: np.ndarray) -> sparse.csr_array:
    """The rows and columns `at` of the Laplacian of the grid."""
    number = np.cumsum(at, dtype=np.int32).reshape(at.shape) - np.int32(1)
    count = int(number.flat[-1]) + 1
    degree = np.zeros(at.shape, np.int8)
    rows, columns = [], []
    for axis in range(at.ndim):
        one = (slice(None),) * axis + (slice(None, -1),)
        other = (slice(None),) * axis + (slice(1, None),)
        degree[one] += 1
        degree[other] += 1
        both = at[one] & at[other]
        rows.append(number[one][both])
        columns.append(number[other][both])
    i, j, each = np.concatenate(rows), np.concatenate(columns), np.arange(count, dtype=np.int32)
    entries = np.concatenate([degree[at].astype(float), np.full(2 * i.size, -1.0)])
    places = np.concatenate([each, i, j]), np.concatenate([each, j, i])
    return sparse.coo_array((entries, places), shape=(count, count)).tocsr()


def superlu(A: sparse.csr_array, b: np.ndarray, mask: np.ndarray, tol: float) -> tuple[np.ndarray, None]:
    factor = splu(A.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return factor.solve(b), None


def jacobi(A: sparse.csr_array, b: np.ndarray, mask: np.ndarray, tol: float) -> tuple[np.ndarray, int]:
    steps: list[None] = []
    inverse = 1 / A.diagonal()
    M = LinearOperator(A.shape, matvec=lambda r: inverse * r)
    x, _ = cg(A, b, rtol=tol, atol=0, M=M, maxiter=20_000, callback=lambda _: steps.append(None))
    return x, len(steps)


def ruge_stuben(A: sparse.csr_array, b: np.ndarray, mask: np.ndarray, tol: float) -> tuple[np.ndarray, int]:
    steps: list[float] = []
    x = pyamg.ruge_stuben_solver(A).solve(b, tol=tol, accel="cg", residuals=steps)
    return x, len(steps) - 1


def smoothed_aggregation(A: sparse.csr_array, b: np.ndarray, mask: np.ndarray, tol: float) -> tuple[np.ndarray, int]:
    """For fourth order: constants and planes are what the matrix hardly sees."""
    near_null = np.column_stack([np.ones(b.size), *(i / mask.shape[0] for i in np.nonzero(mask))])
    steps: list[float] = []
    hierarchy = pyamg.smoothed_aggregation_solver(A, B=near_null)
    x = hierarchy.solve(b, tol=tol, accel="cg", residuals=steps, maxiter=500)
    return x, len(steps) - 1


OPENCV = (
    Rival("OpenCV Telea", opencv(cv2.INPAINT_TELEA), voxels=0),
    Rival("OpenCV NS", opencv(cv2.INPAINT_NS), voxels=0),
)
TASKS = {
    "laplace": (
        Rival("ours", ours("laplace")),
        *OPENCV,
        Rival("PyAMG", algebraic(1, ruge_stuben)),
        Rival("SciPy CG", algebraic(1, jacobi)),
        Rival("SciPy SuperLU", algebraic(1, superlu), pixels=1e6, voxels=2e4),
    ),
    "biharmonic": (
        Rival("ours", ours("biharmonic")),
        *OPENCV,
        Rival("scikit-image", scikit_image, pixels=3e5, voxels=2e4),
        Rival("PyAMG", algebraic(2, smoothed_aggregation), pixels=3e5, voxels=2e5),
        Rival("SciPy SuperLU", algebraic(2, superlu), pixels=3e5, voxels=2e4),
    ),
    "dct": (
        Rival("ours", ours("dct")),
        Rival("OpenCV FSR_FAST", lambda image, mask, tol: Filled(frequency_selective(image, mask)), voxels=0),
    ),
}
TASKS |= {method: (Rival("ours", ours(method)),) for method in METHODS if method not in TASKS}
