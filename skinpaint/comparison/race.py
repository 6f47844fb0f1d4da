"""Methods predict hidden pixels, draw by draw, until it is clear which is first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from skinpaint.comparison.draws import Draw
from skinpaint.comparison.ranking import contenders
from skinpaint.inpainter import Inpainter
from skinpaint.solution import Reason
from skinpaint.wording import is_int, is_number

__all__ = ["Race", "Rules", "run"]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When a race ends.

    Attributes
    ----------
    least, most : int
        The least and the largest number of draws.
    budget : float or None
        Seconds after which no further draw is begun.
    """

    least: int
    most: int
    budget: float | None = None

    @classmethod
    def of(cls, draws: Any, budget: Any) -> Rules:
        """Check what the user says."""
        pair = draws if isinstance(draws, tuple | list) else (draws, draws)
        if len(pair) != 2 or not all(map(is_int, pair)) or not 1 <= pair[0] <= pair[1]:
            raise ValueError(
                "The 'draws' parameter of compare must be an int of at least 1, or two of them, the smaller first. "
                f"Got {draws!r} instead."
            )
        if budget is not None and not (is_number(budget) and budget > 0):
            raise ValueError(
                "The 'budget' parameter of compare must be a number of seconds above 0, or None. "
                f"Got {budget!r} instead."
            )
        return cls(least=int(pair[0]), most=int(pair[1]), budget=budget)

    @property
    def looks(self) -> int:
        """How often one looks whether a lead is clear."""
        return self.most - self.least + 1


@dataclass(frozen=True, kw_only=True)
class Race:
    """What came out.

    Attributes
    ----------
    scores : mapping from names to lists of float
        PSNR in dB in each draw, as long as the method took part.
    errors : mapping from names to Exception
        Why methods failed.
    hidden : int
        How many values were scored in all draws.
    draws : int
        Their number.
    ended : str
        What ended the race before it was settled and before the largest number of draws; empty otherwise.
    """

    scores: Mapping[str, list[float]] = field(default_factory=dict)
    errors: Mapping[str, Exception] = field(default_factory=dict)
    hidden: int = 0
    draws: int = 0
    ended: str = ""


def run(
    rules: Rules, inpainters: Mapping[str, Inpainter], draws: Iterable[Draw], predicted: Callable[[], object]
) -> Race:
    """Let all methods predict the same hidden pixels, and then those that may still be first.

    `predicted` is called after each prediction. Ctrl-C ends the race with the draws that are complete; without one it
    is raised.
    """
    began = perf_counter()
    scores: dict[str, list[float]] = {name: [] for name in inpainters}
    errors: dict[str, Exception] = {}
    running = list(inpainters)
    hidden = count = 0
    ended = "There were too few known pixels for more draws."
    try:
        for draw in draws:
            for name in running:
                try:
                    scores[name].append(draw.score(inpainters[name]))
                except Exception as error:
                    errors[name] = error
                if name not in errors and inpainters[name].solution_.reason is Reason.INTERRUPTED:
                    raise KeyboardInterrupt
                predicted()
            hidden, count = hidden + draw.hidden, count + 1
            running = [name for name in running if name not in errors]
            if running and count >= rules.least:
                running = contenders({name: scores[name] for name in running}, rules.looks)
            if count == rules.most or (count >= rules.least and len(running) < 2):
                ended = ""
                break
            if rules.budget is not None and perf_counter() - began >= rules.budget:
                ended = f"The budget of {rules.budget:g} s ended the draws."
                break
    except KeyboardInterrupt:
        if not count:
            raise
        ended = "Ctrl-C ended the draws."
    complete = {name: each[:count] for name, each in scores.items()}
    return Race(scores=complete, errors=errors, hidden=hidden, draws=count, ended=ended)
