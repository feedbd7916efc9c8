"""How the documentation is built: ``make docs``, or ``sphinx-build -W --keep-going docs build/docs``. No network."""

import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "coffea_ddp"
author = "coffea_ddp developers"
project_copyright = author
release = installed_version("coffea-ddp")

extensions = [
    "offline_math",
    "public_names",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "shell_examples",
]
exclude_patterns = ["_ext", "**.ipynb_checkpoints"]

# -- text ----------------------------------------------------------------------------------------------------

smartquotes_action = "qe"  # no dashes made of two hyphens: they are options of a command
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_fence_as_directive = ["glossary"]
nb_execution_mode = "off"  # notebooks carry their outputs; `make test` runs them elsewhere
suppress_warnings = ["toc.empty_glob"]  # a checkout without notebooks has none to list

# -- the package ---------------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the parameters are told in words
autodoc_preserve_defaults = True
autosummary_generate = False  # the pages of the reference are written by hand, in the order in which one meets them
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False

# -- looks ---------------------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"coffea_ddp {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
pygments_style = "tango"
pygments_dark_style = "monokai"

# -- notebooks -----------------------------------------------------------------------------------------------

# Notebooks live in notebooks/, where one runs them; the pages are copies that no one keeps.
for old in (HERE / "notebooks").glob("*.ipynb"):
    old.unlink()
for notebook in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
    shutil.copyfile(notebook, HERE / "notebooks" / notebook.name)
