"""Sphinx builds the site from the folder `tutorials`, with this configuration: `make docs`."""

import itertools
import os
import pydoc
import re
import sys
from pathlib import Path

from sphinx.util import inspect

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# Executed pages compute in kernels, which take the environment over.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ["KERAS_FF_ROOT"] = str(ROOT)
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
# Compiled once and used once.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
sys.path.insert(0, str(HERE))

import keras_ff  # noqa: E402

project, author, copyright = "keras_ff", "The developers of keras_ff", "The developers of keras_ff"
version = release = keras_ff.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "command_line",
]
root_doc = "index"
# Tutorials as programs are beside their notebooks.
exclude_patterns = ["docs/_*", "**.ipynb_checkpoints", "figures"]
nitpicky = True
# "--resume" is an option and no dash.
smartquotes = False

# Pages are notebooks in MyST's format. Those with code cells are executed anew in each build; the tutorials are as they were saved.
nb_execution_mode = "force"
nb_execution_excludepatterns = ["*.ipynb"]
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True
# What TensorFlow prints when Keras imports it.
nb_output_stderr = "remove"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
toc_object_entries_show_parents = "hide"
autodoc_default_options = {"members": True, "show-inheritance": True}
autosummary_generate = False
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_custom_sections = [("Reference", "references_style")]
napoleon_use_rtype = False
napoleon_use_ivar = True
# A single backtick in a docstring is code, and a link where it names something of the library.
default_role = "py:obj"
python_use_unqualified_type_names = True

html_theme = "pydata_sphinx_theme"
html_title = f"keras_ff {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}


def _resolve(app, env, node, contnode):
    """Link `NeuralIL` and `kff.potentials.NeuralIL` as `keras_ff.potentials.NeuralIL`; leave code that is no name of ours."""
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    target = re.sub(r"^kff\.", "keras_ff.", node["reftarget"].partition("(")[0])
    # A single word in lower case is an argument more often than a function.
    if re.search(r"[A-Z._]", target):
        kinds = ("class", "function", "exception", "module", "method", "property", "attribute")
        found = {name for name in domain.objects if name == target or name.endswith(f".{target}")}
        for kind in kinds:
            homes = [name for name in found if domain.objects[name].objtype == kind and not domain.objects[name].aliased]
            if len(homes) == 1:
                return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", homes[0], node, contnode)
            if homes:
                break
    # What claims to be of this library has to exist, also where it has no page.
    return contnode if not target.startswith("keras_ff.") or pydoc.locate(target) is not None else None


def _links(app, path, parent, content):
    """Links of the files in the root of the repository lead to the pages that include them."""
    pages = {
        "BENCHMARKS.md": "benchmarks.md",
        "CHANGELOG.md": "changelog.md",
        "CONTRIBUTING.md": "contributing.md",
        "README.md": "../index.md",
        "LICENSE": "contributing.md",
    }
    text = re.sub(r"\]\((tutorials/)", "](../", content[0])
    content[0] = re.sub(r"\]\(([A-Z]+(?:\.md)?)\)", lambda found: f"]({pages.get(found[1], found[1])})", text)


# Before the first of these a docstring is prose, in which what is indented is code or a formula.
SECTION = re.compile(r"(Args|Attributes|Example|Raises|Reference|Returns|Warns|Yields):$")


def _literal_blocks(app, what, name, obj, options, lines):
    """Say so to Sphinx, which takes indented lines for a quotation."""
    end = next((index for index, line in enumerate(lines) if SECTION.match(line)), len(lines))
    for index in reversed(range(2, end)):
        if lines[index].startswith("    ") and not lines[index - 1].strip() and not lines[index - 2].startswith("  "):
            block = itertools.takewhile(lambda line: not line.strip() or line.startswith("    "), lines[index:end])
            # Columns scroll on a narrow page, where lines of code are broken.
            columns = sum(bool(re.search(r"\S {3,}\S", line)) for line in block) > 1
            lines[index - 1 : index] = ["", ".. code-block:: text" if columns else "::", ""]


def _constructor(app, what, name, obj, options, signature, annotation):
    """Show the arguments of `__init__` for classes whose `__new__` takes any, as that of Keras does."""
    if what != "class" or "*args" not in (signature or ""):
        return None
    found = inspect.signature(obj.__init__, bound_method=True)
    return inspect.stringify_signature(found, show_return_annotation=False, unqualified_typehints=True), annotation


def setup(app):
    """Connect the functions above."""
    app.connect("missing-reference", _resolve)
    app.connect("include-read", _links)
    app.connect("autodoc-process-signature", _constructor)
    # Before napoleon.
    app.connect("autodoc-process-docstring", _literal_blocks, priority=400)
