"""What is shown is run: every Python block of the pages and of the README, and the README's commands.

The examples are run when the documentation is built, which CI does first. An error in one of them ends the build.
"""

from __future__ import annotations

import doctest
import re
import shlex
import textwrap
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skinpaint import Inpainter
from skinpaint.cli.main import parser

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
PAGES = sorted(
    path for folder in ("", "start", "howto", "explanation") for path in (ROOT / "docs" / folder).glob("*.rst")
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

PAGE_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:(?: {3}.*)?\n)+)", re.MULTILINE)
WIDTH = 95  # characters in a line of code
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
README_SHELL = [code for language, code in FENCED.findall(README) if language == "bash"]


def blocks_of(path: Path, *languages: str) -> list[str]:
    """The blocks of code of a page."""
    found = PAGE_BLOCK.findall(path.read_text(encoding="utf-8"))
    return [textwrap.dedent(block) for language, block in found if not languages or language in languages]


def run_blocks(blocks: list[str], where: str) -> dict:
    """Run blocks one after another in one namespace; sessions must print what they say."""
    names: dict = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for number, block in enumerate(blocks, 1):
        title = f"{where}, block {number}"
        if not block.lstrip().startswith(">>>"):
            exec(compile(block, title, "exec"), names)
            continue
        session = doctest.DocTestParser().get_doctest(block, names, title, where, 0)
        said: list[str] = []
        assert runner.run(session, out=said.append, clear_globs=False).failed == 0, "".join(said)
        names.update(session.globs)
    return names


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    plt.switch_backend("agg")
    yield
    plt.close("all")


def test_there_are_examples_and_pages():
    assert len(EXAMPLES) >= 3
    assert len(PAGES) >= 18


def test_ci_runs_the_examples():
    settings = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert '"abort_on_example_error": True' in settings
    assert '"run_stale_examples": True' in settings
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(r"^MPLBACKEND=agg \S+ -m sphinx -W ", script, re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_does_what_it_says(path):
    run_blocks(blocks_of(path, "python", "pycon"), path.name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_code_of_a_page_is_not_cut(path):
    """Not at 1300 pixels; ruff sees to the examples."""
    lines = [line for block in blocks_of(path) for line in block.splitlines()]
    assert [line for line in lines if len(line) > WIDTH] == []


def test_a_wrong_page_is_caught():
    with pytest.raises(AssertionError, match="Expected"):
        run_blocks([">>> 1 + 1\n3\n"], "a wrong page")


def test_the_methods_of_the_page_about_methods_keep_the_rules_of_the_house():
    page = next(path for path in PAGES if path.stem == "add_a_method")
    names = run_blocks([block for block in blocks_of(page, "python") if "METHODS = " not in block], page.name)
    assert names["__all__"] == ["Mean"]
    image, mask = np.arange(30.0).reshape(5, 6), np.eye(5, 6, dtype=bool)
    for method, setting in ((names["Mean"], "trim"), (names["Smoothing"], "width")):
        with pytest.raises(ValueError, match=f"The '{setting}' parameter of {method.__name__} must be"):
            method(**{setting: "much"})
        fitted = Inpainter(method(), spacing=(1, 5)).fit(image, mask=mask)
        assert "The spacing hardly counts" in fitted.solution_.status


def test_readme_python_runs():
    blocks = [code for language, code in FENCED.findall(README) if language == "python"]
    assert blocks
    run_blocks(blocks, "README.md")


def test_readme_files_exist():
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", README + CONTRIBUTING)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def commands_of(blocks: list[str]) -> list[list[str]]:
    """Every command of shell blocks, split into words; those joined by && or | apart."""
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(part, comments=True) for line in lines for part in re.split(r"&&|\|", line) if part.strip()]


def check_commands(commands: list[list[str]]) -> int:
    """Parse every command of the package as the shell would hand it over; return their number."""
    known = [words for words in commands if words and Path(words[0]).name == "skinpaint"]
    for words in known:
        try:
            parser().parse_args(words[1:])
        except SystemExit:
            raise AssertionError(f"{shlex.join(words)} is not understood.") from None
    return len(known)


def test_readme_commands_are_understood():
    assert check_commands(commands_of(README_SHELL)) >= 3


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_of_a_page_are_understood(path):
    check_commands(commands_of(blocks_of(path, "bash")))


def test_a_wrong_command_is_caught():
    for wrong in ("skinpaint restor a.png", "skinpaint restore a.png --msk b.png", "skinpaint restore a.png --grow x"):
        with pytest.raises(AssertionError, match="not understood"):
            check_commands(commands_of([wrong]))


def test_readme_extras_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = re.findall(r"\.\[([\w,]+)\]", README + CONTRIBUTING)
    assert named
    assert {extra for group in named for extra in group.split(",")} <= set(extras)


def test_ci_runs_the_readmes_test_command():
    """Without the folder of the environment, which CI makes afresh elsewhere."""
    tests = next(words for words in commands_of(README_SHELL) if "pytest" in words)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    called = [shlex.split(line, comments=True) for line in script.splitlines()]
    assert tests[1:] in [words[1:] for words in called]
