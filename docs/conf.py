import os
import sys
from pathlib import Path

import sphinx_gallery.sorting
import ziamath

import skinpaint

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("COLUMNS", "88")  # of the help texts

import tables

project = "skinpaint"
author = "The skinpaint developers"
copyright = author
release = version = skinpaint.__version__

# Pages that follow from the tables of the package. They must be there before Sphinx looks for pages.
(HERE / "generated").mkdir(exist_ok=True)
for name, text in tables.pages().items():
    target = HERE / "generated" / f"{name}.rst"
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "mathml",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_ext"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc states the types
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"  # the sidebar is narrow
numpydoc_show_class_members = False  # the template lists them
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": sphinx_gallery.sorting.ExplicitOrder(
        [
            "plot_walk_photograph.py",
            "plot_walk_stack.py",
            "plot_walk_fits.py",
            "plot_walk_geotiff.py",
            "plot_which_method.py",
            "plot_texture.py",
            "plot_walkthrough.py",
            "plot_how_far.py",
            "plot_how_sure.py",
            "plot_gd_against_closed_form.py",
            "plot_sklearn_pipeline.py",
            "*",
        ]
    ),
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "remove_config_comments": True,
    "run_stale_examples": True,  # this is their test: the library may have changed, if they have not
    "show_memory": False,
    "write_computation_times": False,  # their page loads scripts from the network
}
suppress_warnings = ["config.cache"]  # the gallery's sorting object cannot be pickled

html_theme = "pydata_sphinx_theme"
html_title = "skinpaint"
html_math_renderer = "mathml"
FONT = Path(ziamath.__file__).with_name("fonts") / "STIXTwoMath-Regular.ttf"  # for formulas, where a system has none
html_static_path = ["_static", str(FONT)]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {page: [] for page in ("index", "benchmarks", "generated/changelog", "search", "genindex")}


def every_example_draws(app: object, error: Exception | None) -> None:
    """Refuse an example without a picture."""
    if error is None:
        for example in (HERE.parent / "examples").glob("plot_*.py"):
            if not list((HERE / "gallery" / "images").glob(f"sphx_glr_{example.stem}_*.png")):
                raise ValueError(f"{example.name} draws nothing.")


def setup(app) -> None:
    """Connect what is defined here."""
    app.connect("build-finished", every_example_draws)
