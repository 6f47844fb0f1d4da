import sphinx_gallery.sorting

import skinpaint

project = "skinpaint"
author = "The skinpaint developers"
copyright = author
release = version = skinpaint.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc states the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the template lists them
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": sphinx_gallery.sorting.ExplicitOrder(
        [
            "plot_walkthrough.py",
            "plot_which_method.py",
            "plot_how_far.py",
            "plot_gd_against_closed_form.py",
            "plot_sklearn_pipeline.py",
            "*",
        ]
    ),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
}
suppress_warnings = ["config.cache"]  # the gallery's sorting object cannot be pickled

html_theme = "pydata_sphinx_theme"
html_title = "skinpaint"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
