"""What belongs to the site and lies elsewhere: the notebooks, the notes on speed, the gallery.

Pages link to these where they lie, so that the links hold on a code host and on the disk too.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

NOTEBOOK = "tutorial.ipynb"
PAGES = {
    f"../examples/{NOTEBOOK}": NOTEBOOK,
    "../benchmarks/NOTES.md": "notes.md",
    "../benchmarks/ACCELERATORS.md": "accelerators.md",
}


DOWNLOADS = re.compile(r"\[([^\]]*)\]\((\.\./examples/colab\.ipynb)\)")  # not a page: to run it installs the package


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", _copy_notebook)
    app.connect("source-read", _link_pages)
    app.connect("build-finished", _copy_gallery)
    return {"parallel_read_safe": True}


def _copy_notebook(app: Sphinx, config: Config) -> None:
    shutil.copyfile(Path(app.srcdir).parent / "examples" / NOTEBOOK, Path(app.srcdir) / NOTEBOOK)


def _link_pages(app: Sphinx, page: str, source: list[str]) -> None:
    for elsewhere, here in PAGES.items():
        source[0] = source[0].replace(f"]({elsewhere}", f"]({here}")
    source[0] = DOWNLOADS.sub(r"{download}`\1 <\2>`", source[0])


def _copy_gallery(app: Sphinx, failure: Exception | None) -> None:
    if failure is None:
        gallery = Path(app.outdir) / "gallery"
        shutil.rmtree(gallery, ignore_errors=True)
        shutil.copytree(Path(app.srcdir) / "gallery", gallery)
