"""Settings of the site: `make docs` builds it into docs/_build/html, which opens from the disk."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "zfjax"
html_title = "zfjax"
extensions = ["myst_nb", "sphinx.ext.autodoc", "extensions.docstrings", "extensions.mathml", "extensions.outside"]
exclude_patterns = ["_build", "gallery", "jupyter_execute", "requirements.txt"]

smartquotes = False  # "val" is a string

html_theme = "sphinx_book_theme"
html_theme_options = {
    "footer_content_items": [],
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the sidebar has the search
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
html_context = {"default_mode": "light"}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["zoom.js"]
html_math_renderer = "mathml"  # the browser's own: MathJax would be fetched from the web
html_show_sourcelink = False
html_show_copyright = False

myst_heading_anchors = 3  # a link to page.md#a-heading works here as it does on a code host
myst_enable_extensions = ["dollarmath"]

nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True
