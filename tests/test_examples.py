"""What is shown is run: the gallery, every Python block of the pages and of the README, and the README's commands."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
PAGES = sorted(
    path for folder in ("", "start", "howto", "explanation") for path in (ROOT / "docs" / folder).glob("*.rst")
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

PAGE_BLOCK = re.compile(r"^\.\. code-block:: (?:python|pycon)\n\n((?:(?: {3}.*)?\n)+)", re.MULTILINE)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_draws(path):
    runpy.run_path(str(path), run_name="__main__")
    assert plt.get_fignums()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_does_what_it_says(path):
    blocks = [textwrap.dedent(block) for block in PAGE_BLOCK.findall(path.read_text(encoding="utf-8"))]
    run_blocks(blocks, path.name)


def test_a_wrong_page_is_caught():
    with pytest.raises(AssertionError, match="Expected"):
        run_blocks([">>> 1 + 1\n3\n"], "a wrong page")


def test_readme_python_runs():
    blocks = [code for language, code in FENCED.findall(README) if language == "python"]
    assert blocks
    run_blocks(blocks, "README.md")


def test_readme_files_exist():
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", README + CONTRIBUTING)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def commands_of(text: str) -> list[list[str]]:
    """Every command of the shell blocks, split into words; those joined by && or | apart."""
    lines = [line for language, code in FENCED.findall(text) if language == "bash" for line in code.splitlines()]
    return [shlex.split(part, comments=True) for line in lines for part in re.split(r"&&|\|", line) if part.strip()]


def test_readme_subcommands_exist():
    named = {words[1] for words in commands_of(README) if Path(words[0]).name == "skinpaint"}
    assert "demo" in named
    helped = [sys.executable, "-m", "skinpaint", "--help"]
    answer = subprocess.run(helped, capture_output=True, text=True, check=True, timeout=60).stdout
    assert {name for name in named if name not in answer} == set()


def test_readme_options_exist():
    for words in commands_of(README):
        if Path(words[0]).name != "skinpaint":
            continue
        helped = [sys.executable, "-m", "skinpaint", words[1], "--help"]
        answer = subprocess.run(helped, capture_output=True, text=True, check=True, timeout=60).stdout
        for option in (word for word in words if word.startswith("-")):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", answer), f"{option} in {shlex.join(words)}"


def test_readme_extras_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = re.findall(r"\.\[([\w,]+)\]", README + CONTRIBUTING)
    assert named
    assert {extra for group in named for extra in group.split(",")} <= set(extras)


def test_ci_runs_the_readmes_test_command():
    """Without the folder of the environment, which CI makes afresh elsewhere."""
    tests = next(words for words in commands_of(README) if "pytest" in words)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    called = [shlex.split(line, comments=True) for line in script.splitlines()]
    assert tests[1:] in [words[1:] for words in called]
