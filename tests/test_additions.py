"""Adding something takes two files: its own, and the table that names it. Tried on a copy of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skinpaint

PACKAGE = Path(skinpaint.__file__).parent
TESTS = Path(__file__).parent

METHOD = '''"""Fill with the middle of the bounds."""

from dataclasses import dataclass
from functools import partial

from skinpaint.methods.base import Method
from skinpaint.solution import Reason, Record, Solution

__all__ = ["Middle"]


@dataclass(frozen=True, kw_only=True)
class Middle(Method):
    """Fill with the middle of the bounds."""

    def solve(self, problem, callback=None):
        values = problem.values.astype(float)
        record = Record(n_iter=1)
        if callback is not None:
            callback(record, partial(problem.write_back, values))
        return Solution(values=values, reason=Reason.CONVERGED, status="Filled.", n_iter=1, history=(record,))

    @classmethod
    def soft(cls):
        """The same."""
        return cls()
'''
ENERGY = '''"""Fourth powers of differences along the last axis."""

from dataclasses import dataclass

import autograd.numpy as np

from skinpaint.energies.base import Energy

__all__ = ["Quartic"]


@dataclass(frozen=True, kw_only=True)
class Quartic(Energy):
    """Fourth powers of differences along the last axis."""

    spacing: tuple[float, ...] | None = None
    convex = True

    def __call__(self, x):
        return np.sum((x[..., 1:] - x[..., :-1]) ** 4)
'''
FORMAT = '''"""Portable grey maps."""

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Extras

__all__ = ["PGM"]


def _read(path):
    _, width, height, _, pixels = path.read_bytes().split(maxsplit=4)
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width)).copy(), Extras()


def _write(path, image, extras):
    path.write_bytes(b"P5 %d %d 255 " % image.shape[::-1] + image.tobytes())


PGM = Codec(
    name="PGM",
    suffixes=(".pgm",),
    recognises=lambda head: head.startswith(b"P5"),
    holds=lambda dtype: dtype == np.uint8,
    read=_read,
    write=_write,
)
'''
DAMAGE = '''"""A stripe."""

import numpy as np

__all__ = ["stripe"]


def stripe(image, *, channel_axis=None):
    """Damage the third row."""
    damaged, mask = image.copy(), np.zeros(image.shape[:2], bool)
    damaged[2], mask[2] = 0, True
    return damaged, mask
'''
COMMAND = '''"""Greet."""

__all__ = ["HELP", "add_arguments", "run"]

HELP = "say hello to a user"


def add_arguments(parser):
    """Add the name."""
    parser.add_argument("name")


def run(args):
    """Greet."""
    print(f"hello {args.name}")
    return 0
'''
# the file, its text, the table, and what is put into the table: before each of these, the line that goes there
ADDITIONS = [
    (
        "methods/middle.py",
        METHOD,
        "methods/__init__.py",
        {'    "dct": "skinpaint.methods': '    "middle": "skinpaint.methods.middle:Middle",\n'},
    ),
    (
        "energies/quartic.py",
        ENERGY,
        "energies/__init__.py",
        {
            "from skinpaint.energies.lines": "from skinpaint.energies.quartic import Quartic\n",
            '    "lines": lines': '    "quartic": Quartic(),\n',
        },
    ),
    (
        "io/pgm.py",
        FORMAT,
        "io/api.py",
        {"from skinpaint.io.pillow": "from skinpaint.io.pgm import PGM\n", "PNG16, PNG, JPEG": "PGM, "},
    ),
    (
        "damage/stripe.py",
        DAMAGE,
        "damage/__init__.py",
        {
            "from skinpaint.damage.text": "from skinpaint.damage.stripe import stripe\n",
            '"pixels": random_pixels': '"stripe": stripe, ',
        },
    ),
    ("cli/greet.py", COMMAND, "cli/main.py", {'    "demo": "skinpaint.cli': '    "greet": "skinpaint.cli.greet",\n'}),
]


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """Return a function that runs Python with a copy of the package that has one more of each."""
    root = tmp_path_factory.mktemp("added")
    copy = root / "skinpaint"
    shutil.copytree(PACKAGE, copy)  # with its compiled kernels, which stay valid
    for name, text, table, lines in ADDITIONS:
        (copy / name).write_text(text)
        source = (copy / table).read_text()
        for before, line in lines.items():
            assert source.count(before) == 1, f"{table} has {before!r} {source.count(before)} times"
            source = source.replace(before, line + before)
        (copy / table).write_text(source)

    def run(*arguments, status=0):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "PYTEST"))}
        environment["PYTHONPATH"] = str(root)
        done = subprocess.run(
            [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert str(copy) in run("-c", "import skinpaint; print(skinpaint.__file__)")
    return run


def test_a_method_is_at_every_python_door(added):
    said = added(
        "-c",
        "import numpy as np, skinpaint\n"
        "from skinpaint.methods import METHODS\n"
        "print('middle' in METHODS, 'Middle' in dir(skinpaint), skinpaint.Middle())\n"
        "image = np.array([0.0, np.nan, 4.0])\n"
        "print(skinpaint.inpaint(image, method='middle'), skinpaint.inpaint(image, method='middle:soft'))\n"
        "skinpaint.inpaint(image, method='nonsense')",
        status=1,
    )
    assert "True True Middle()" in said
    assert "[0. 2. 4.] [0. 2. 4.]" in said
    assert "must be one of 'middle', 'dct', 'exemplar', 'gd'" in said


def test_a_method_goes_through_the_contract_suite_without_being_told(added):
    said = added(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--import-mode=importlib",
        str(TESTS / "test_contract.py"), "-k", "test_law and middle",
    )  # fmt: skip
    assert " passed" in said
    assert int(said.split(" passed")[0].split()[-1]) >= 80


def test_an_energy_is_known_by_its_name(added):
    said = added(
        "-c",
        "import numpy as np\n"
        "from skinpaint import GradientDescent, Reweighted, inpaint\n"
        "image = np.array([[0.0, np.nan, np.nan, 3.0]])\n"
        "print(inpaint(image, method=GradientDescent(energy='quartic', tol=1e-7)).round(2))\n"
        "GradientDescent(energy='nonsense')",
        status=1,
    )
    assert "[[0. 1. 2. 3.]]" in said
    assert "must be 'quartic', 'lines'" in said


COMMANDS = """
import sys
from skinpaint.cli import main

for arguments, expected in eval(sys.argv[1]):
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == expected, (arguments, status)
"""


def test_a_format_a_damage_and_a_command_are_at_the_command_line(added, tmp_path):
    photo = tmp_path / "photo.pgm"
    photo.write_bytes(b"P5 5 5 255 " + bytes(range(40, 240, 8)))
    damaged, mask, restored = (str(tmp_path / name) for name in ("damaged.pgm", "mask.png", "restored.pgm"))

    def run(*commands, status=0):
        return added("-c", COMMANDS, repr([(list(map(str, command)), status) for command in commands]))

    said = run(
        ("--help",),
        ("greet", "you"),
        ("damage", "--help"),
        ("damage", photo, "-o", damaged, "--kind", "stripe", "--mask-out", mask),
        ("restore", damaged, "--mask", mask, "--method", "laplace", "-o", restored),
    )
    for name in ("{greet,demo,restore", "say hello to a user", "hello you", "stripe"):
        assert name in said
    before, after = (Path(name).read_bytes() for name in (photo, restored))
    assert (after[:21], after[26:]) == (before[:21], before[26:])  # all but the third row
    assert np.frombuffer(after[21:26], np.uint8) == pytest.approx(np.frombuffer(before[21:26], np.uint8), abs=5)
    refused = run(
        ("restore", damaged, "--method", "nonsense"),
        ("restore", damaged, "-o", "a.nonsense"),
        ("restore", __file__),
        status=2,
    )
    for name in ("middle", ".pgm", "PGM"):
        assert name in refused


def test_all_of_them_are_in_the_reference(added):
    tables = TESTS.parent / "docs" / "_ext" / "tables.py"
    if not tables.exists():
        pytest.skip("the tests are installed without the documentation")
    said = added("-c", f"import runpy; print(*runpy.run_path({str(tables)!r})['pages']().values())")
    for name in (
        "   Middle\n",
        '``"middle:soft"``',
        "   Quartic\n",
        "``.pgm``",
        "   stripe\n",
        "skinpaint greet\n-----",
    ):
        assert name in said
