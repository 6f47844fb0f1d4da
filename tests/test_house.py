"""The house keeps its order: who may import whom, what is public, and what importing the package costs."""

import ast
import importlib
import pkgutil
import runpy
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import skinpaint
from skinpaint.methods import METHODS

PACKAGE = Path(skinpaint.__file__).parent
MODULES = sorted(
    ".".join(("skinpaint", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)

# The floors, lowest first. A module imports from floors below its own; on one floor, only what is listed.
FLOORS = (
    ("skinpaint.lazy", "skinpaint.wording", "skinpaint.lengths"),
    ("skinpaint.grid.jit",),
    ("skinpaint.grid", "skinpaint.grid.*"),
    ("skinpaint.solution", "skinpaint.masks", "skinpaint.containers"),
    ("skinpaint.scores",),
    ("skinpaint.damage", "skinpaint.damage.*", "skinpaint.io", "skinpaint.io.*"),
    ("skinpaint.show", "skinpaint.show.*"),
    ("skinpaint.problem", "skinpaint.energies.*"),
    ("skinpaint.energies",),
    ("skinpaint.point_problem",),
    ("skinpaint.trust.field",),
    ("skinpaint.trust.noise",),
    ("skinpaint.methods.base",),
    ("skinpaint.methods.closed_form",),
    ("skinpaint.methods.*",),
    ("skinpaint.methods",),
    ("skinpaint.dask", "skinpaint.dask.*"),
    ("skinpaint.inpainter",),
    ("skinpaint.drop_in", "skinpaint.xarray"),
    ("skinpaint",),
    ("skinpaint.holdout",),
    ("skinpaint.trust", "skinpaint.trust.*"),
    ("skinpaint.film", "skinpaint.testing"),
    ("skinpaint.comparison", "skinpaint.comparison.*"),
    ("skinpaint.paint", "skinpaint.paint.*"),
    ("skinpaint.cli", "skinpaint.cli.*"),
    ("skinpaint.__main__",),
)
PACKAGES = (
    "skinpaint.damage",
    "skinpaint.energies",
    "skinpaint.io",
    "skinpaint.show",
    "skinpaint.comparison",
    "skinpaint.cli",
    "skinpaint.paint",
    "skinpaint.dask",
)
UPWARD_WHEN_CALLED = {
    ("skinpaint.inpainter", "skinpaint.holdout"),
    ("skinpaint.inpainter", "skinpaint.trust.calibration"),
}
RE_EXPORT = (
    "skinpaint",
    "skinpaint.methods",
    "skinpaint.energies",
    "skinpaint.io",
    "skinpaint.damage",
    "skinpaint.comparison",
    "skinpaint.cli",
    "skinpaint.film",
    "skinpaint.paint",
    "skinpaint.dask",
)


def floor(module):
    """The floor of a module; unknown rooms are an error, so that a new one is given its place here."""
    for level, rooms in enumerate(FLOORS):
        if module in rooms:
            return level
    for level, rooms in enumerate(FLOORS):
        if any(room.endswith(".*") and module.startswith(room[:-1]) for room in rooms):
            return level
    raise LookupError(f"{module} has no floor")


def family(module):
    """The family of a module of the engine; None for the floor that all families stand on."""
    name = module.split(".")[2:3]
    return name[0] if name and PACKAGE.joinpath("grid", name[0]).is_dir() else None


def is_kernels(module):
    return module.startswith("skinpaint.grid.") and module.split(".")[-1].startswith(("kernels", "jit"))


def path_of(module):
    parts = module.split(".")[1:]
    package = PACKAGE.joinpath(*parts, "__init__.py")
    return package if package.exists() else PACKAGE.joinpath(*parts).with_suffix(".py")


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(tree, module, *, when_called=False):
    """Yield ``(imported module, whether only when called)`` for a parsed module."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, when_called) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                public = inner in MODULES and alias.name not in names_in_all(node.module)
                yield (inner if public else node.module), when_called
        else:
            called = when_called or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(node, module, when_called=called)


@cache
def names_in_all(module):
    """What a package offers under its own name: the energy ``lines`` is meant, not the file that it is in."""
    return set(importlib.import_module(module).__all__) if module in MODULES else set()


@cache
def tree_of(module):
    return ast.parse(path_of(module).read_text())


@cache
def imports_of(module):
    return list(imports(tree_of(module), module))


def allowed(module, imported, when_called):
    if when_called and (module, imported) in UPWARD_WHEN_CALLED:
        return True
    if is_kernels(module):
        return module != "skinpaint.grid.jit" and imported == "skinpaint.grid.jit"
    if module.startswith("skinpaint.grid.") and imported.startswith("skinpaint.grid."):
        return family(imported) in (None, family(module))  # families stand side by side on the common floor
    for package in PACKAGES:  # their rooms may import one another, in no circle
        if module.startswith(package) and imported.startswith(f"{package}."):
            return True
    return floor(imported) < floor(module)


def inside(imported):
    return imported.split(".")[0] == "skinpaint"


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_down(module):
    wrong = [name for name, called in imports_of(module) if inside(name) and not allowed(module, name, called)]
    assert not wrong, f"{module} may not import {wrong}"


@pytest.mark.parametrize(
    ("module", "source", "fine"),
    [
        ("skinpaint.problem", "from skinpaint.inpainter import Inpainter", False),
        ("skinpaint.problem", "from skinpaint import masks", True),
        ("skinpaint.masks", "from skinpaint import problem", False),
        ("skinpaint.inpainter", "from skinpaint.holdout import hold_out", False),
        ("skinpaint.inpainter", "def f():\n    from skinpaint.holdout import hold_out", True),
        ("skinpaint.problem", "class A:\n    def f(self):\n        import skinpaint.inpainter", False),
        ("skinpaint.methods.laplace", "from skinpaint.methods.gradient_descent import GradientDescent", False),
        ("skinpaint.methods.laplace", "from skinpaint.methods import resolve", False),
        ("skinpaint.methods.laplace", "from skinpaint.methods.base import Method", True),
        ("skinpaint.methods.laplace", "from skinpaint.methods.closed_form import ClosedForm", True),
        ("skinpaint.methods.closed_form", "from skinpaint.methods.laplace import Laplace", False),
        ("skinpaint.methods.laplace", "from skinpaint.grid.matrix import laplacian", True),
        ("skinpaint.grid.matrix", "import skinpaint.energies", False),
        ("skinpaint.grid.harmonic.fill", "from skinpaint.grid.holes import cut_out", True),
        ("skinpaint.grid.holes", "from skinpaint.grid.harmonic.fill import fill", False),
        ("skinpaint.grid.harmonic.fill", "from skinpaint.grid.biharmonic.multigrid import BiharmonicSystem", False),
        ("skinpaint.grid.harmonic.kernels", "from skinpaint.grid.holes import cut_out", False),
        ("skinpaint.energies.lines", "from skinpaint.energies import dirichlet", False),
        ("skinpaint.energies.lines", "from skinpaint.energies.base import Energy", True),
        ("skinpaint.holdout", "from skinpaint.testing import TRIALS", False),
        ("skinpaint.inpainter", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import skinpaint.cli", True),
    ],
)
def test_the_reading_of_imports_knows_right_from_wrong(module, source, fine):
    found = [pair for pair in imports(ast.parse(source), module) if inside(pair[0])]
    assert all(allowed(module, *pair) for pair in found) == fine


def circles(graph):
    """Return the modules that can be reached from themselves."""
    reached = {module: set(found) for module, found in graph.items()}
    while True:
        further = {module: found.union(*(reached.get(each, ()) for each in found)) for module, found in reached.items()}
        if further == reached:
            return [module for module, found in reached.items() if module in found]
        reached = further


def test_no_import_goes_in_a_circle():
    graph = {module: {name for name, called in imports_of(module) if inside(name) and not called} for module in MODULES}
    assert circles(graph) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


def test_only_the_kernels_import_numba():
    importers = [m for m in MODULES if any(name.split(".")[0] in ("numba", "llvmlite") for name, _ in imports_of(m))]
    assert importers
    assert all(is_kernels(module) for module in importers)


def test_no_room_of_a_method_imports_another():
    skeletons = ("skinpaint.methods.base", "skinpaint.methods.closed_form")
    rooms = [m for m in MODULES if m.startswith("skinpaint.methods.") and m not in skeletons]
    assert set(rooms) >= {target.split(":")[0] for target in METHODS.values()}
    for room in rooms:
        assert not {name for name, _ in imports_of(room)} & (set(rooms) - {room})


def public_names(module):
    """Names that a module defines at its top level, itself, without a leading underscore."""
    for node in tree_of(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("module", [m for m in MODULES if m != "skinpaint.__main__"])
def test_every_name_in_all_exists_and_is_defined_there(module):
    loaded = importlib.import_module(module)
    names = loaded.__all__
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(loaded, name) is not None
    if module not in (*RE_EXPORT, "skinpaint.methods.base"):
        own = {name for name in names if name in set(public_names(module))}
        assert own == set(names), "a module exports what it defines itself"


def names_taken(tree):
    """Yield ``(module, name)`` for what a parsed module takes out of others, but the others themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield from ((node.module, each.name) for each in node.names if f"{node.module}.{each.name}" not in MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_what_is_taken_out_of_a_module_is_in_its_all(module):
    taken = names_taken(tree_of(module))
    wrong = [(owner, name) for owner, name in taken if name not in {*names_in_all(owner), "*", "__version__"}]
    assert not wrong, f"{module} takes what is not offered: {wrong}"


def test_the_public_names_are_what_the_package_offers():
    namespace = {}
    exec("from skinpaint import *", namespace)
    del namespace["__builtins__"]
    assert sorted(namespace) == sorted(skinpaint.__all__)
    assert set(skinpaint.__all__) <= set(dir(skinpaint))
    defined = {m.name for m in pkgutil.iter_modules([str(PACKAGE)])}
    visible = {name for name in vars(skinpaint) if not name.startswith("_")} - defined
    assert visible <= {*skinpaint.__all__, "annotations", "TYPE_CHECKING", "Any", "import_module"}


def test_every_method_class_is_public_under_its_own_name():
    for target in METHODS.values():
        name = target.split(":")[1]
        assert name in skinpaint.__all__
        assert getattr(skinpaint, name).__module__ == target.split(":")[0]


@pytest.mark.parametrize("module", ["skinpaint", *(f"skinpaint.{room}" for room in ("dask", "film", "io", "paint"))])
def test_what_users_import_is_in_the_reference(module):
    docs = PACKAGE.parent / "docs"
    if not docs.exists():
        pytest.skip("the tests are installed without the documentation")
    listed = "".join(runpy.run_path(str(docs / "_ext" / "tables.py"))["pages"]().values())
    listed += (docs / "reference" / "index.rst").read_text(encoding="utf-8")
    entries = {line.strip().rpartition(".")[2] for line in listed.splitlines() if line.startswith("   ")}
    offered = importlib.import_module(module)
    assert {name for name in offered.__all__ if callable(getattr(offered, name))} <= entries


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skinpaint' has no attribute 'nonsense'"):
        skinpaint.nonsense  # noqa: B018


HEAVY = (
    "numba", "llvmlite", "sklearn", "matplotlib", "tqdm", "autograd", "skimage", "scipy.sparse", "scipy.ndimage",
    "scipy.fft", "PIL", "tifffile", "png", "imageio", "pandas", "cv2", "pyamg", "networkx", "hypothesis",
    "dask", "distributed", "xarray", "zarr",
)  # fmt: skip


def test_importing_the_package_loads_nothing_heavy():
    code = f"import skinpaint, sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_importing_the_package_loads_no_method():
    code = "import skinpaint, sys; print(*[m for m in sys.modules if m.startswith('skinpaint.methods.')])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["skinpaint.methods.base"]


def test_per_cent_is_written_in_one_way():
    """With a space, as in 1.6 %; Python's own format has none."""
    assert [path.name for path in PACKAGE.rglob("*.py") if "%}" in path.read_text(encoding="utf-8")] == []


def test_there_is_one_version():
    pyproject, citation = (PACKAGE.parent / name for name in ("pyproject.toml", "CITATION.cff"))
    if not pyproject.exists():
        pytest.skip("the package is installed without its project")
    project = tomllib.loads(pyproject.read_text())["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    assert f"\nversion: {skinpaint.__version__}\n" in citation.read_text()
