"""What a few draws of hidden pixels say about the missing ones, and about which method is first.

Every draw is a rehearsal: it hides about as many pixels as are missing, in the same shapes and near them. The missing
pixels are one more draw from the same lot, of which the score is not known. So Student's t says between which scores it
is [1]_. It does not know that more is missing around hidden pixels, which are therefore predicted a little worse. Two
methods are compared by their differences within the same draws: what makes a draw easy or hard is in both scores, and
cancels.

References
----------
.. [1] G. J. Hahn, W. Q. Meeker, "Statistical Intervals", Wiley 1991, chapter 4.
   :doi:`10.1002/9780470316771`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, sqrt

import numpy as np
from scipy.special import stdtrit

__all__ = ["contenders", "expected", "lead", "standings"]

LEVEL = 0.9  # of the intervals
NEAR = 0.1  # dB; a difference that is surely smaller makes no first and second


def expected(scores: Sequence[float]) -> tuple[float, float]:
    """The mean of some draws, and how far from it the score of one more draw is, at the level of 90 %.

    Examples
    --------
    >>> print("{:.2f} ± {:.2f}".format(*expected([30.0, 31.0, 32.0, 33.0])))
    31.50 ± 3.40
    """
    mean, deviation, draws = _moments(scores)
    return mean, _quantile(LEVEL, draws) * deviation * sqrt(1 + 1 / draws)


def lead(first: Sequence[float], second: Sequence[float], looks: int = 1) -> tuple[float, float]:
    """By how much one method is ahead of another in the mean, and how sure that is, at the level of 90 %.

    Parameters
    ----------
    first, second : sequence of float
        Scores in dB, from the first draw on. Those draws count in which both took part.
    looks : int
        How often one looks whether the lead is clear, in order to stop when it is. The chance to be wrong is shared
        among the looks, so that the interval holds at its level whenever one stops (Bonferroni).

    Returns
    -------
    mean, margin : float
        In dB. The margin is infinite after one draw.

    Examples
    --------
    >>> print("{:.2f} ± {:.2f}".format(*lead([30.0, 31.0, 35.0], [29.1, 29.8, 34.0])))
    1.03 ± 0.26
    >>> print("{:.2f} ± {:.2f}".format(*lead([30.0, 31.0, 35.0], [29.1, 29.8, 34.0], looks=6)))
    1.03 ± 0.67
    """
    mean, deviation, draws = _moments([one - other for one, other in zip(first, second, strict=False)])
    return mean, _quantile(1 - (1 - LEVEL) / looks, draws) * deviation / sqrt(draws)


def contenders(scores: Mapping[str, Sequence[float]], looks: int) -> list[str]:
    """The first, and all of which more draws may tell whether they are behind it.

    A method is out if it is clearly behind the first, or so near to it that it does not matter which is first.

    Parameters
    ----------
    scores : mapping from names to sequences of float
        The scores of each method in the same draws, in dB.
    looks : int
        See `lead`.

    Examples
    --------
    >>> contenders({"a": [30.0, 33.0, 32.0], "b": [30.1, 32.9, 31.7], "c": [27.0, 30.1, 29.2]}, looks=6)
    ['a', 'b']
    """
    first = max(scores, key=lambda name: np.mean(scores[name]))
    return [name for name in scores if name == first or not _is_settled(*lead(scores[first], scores[name], looks))]


def standings(scores: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    """The expected score of each method and how far from it that of one more draw may be.

    A method that took part in fewer draws is placed by how far it was behind the first in those: its own mean would
    depend on which of the draws were hard.

    Examples
    --------
    >>> standings({"a": [30.0, 33.0, 36.0, 39.0], "b": [29.0, 32.0]})["b"][0]
    33.5
    """
    if not scores:
        return {}
    most = max(map(len, scores.values()))
    first = max((name for name in scores if len(scores[name]) == most), key=lambda name: np.mean(scores[name]))
    top, _ = expected(scores[first])
    return {name: (top - lead(scores[first], each)[0], expected(each)[1]) for name, each in scores.items()}


def _is_settled(mean: float, margin: float) -> bool:
    return mean > margin or mean + margin < NEAR


def _moments(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard deviation (infinite for one value alone) and number."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else inf, len(values)


def _quantile(level: float, draws: int) -> float:
    """Half the width of the interval of Student's t."""
    return float(stdtrit(max(1, draws - 1), (1 + level) / 2))
