"""The title and the caption of a picture as text in its file, for those who cannot see its pixels, and for pages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE, CAPTION = "title", "caption"  # by these names a figure's two texts are known
_KEYS = {  # what each format calls them
    ".png": {TITLE: "Title", CAPTION: "Description"},
    ".svg": {TITLE: "Title", CAPTION: "Description"},
    ".pdf": {TITLE: "Title", CAPTION: "Subject"},
}
_DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


def words(figure: Figure, suffix: str) -> dict[str, str]:
    """What is written into the file's metadata, by the suffix of its name."""
    said = {text.get_gid(): " ".join(text.get_text().split()) for text in figure.texts}
    return {key: said[which] for which, key in _KEYS[suffix].items() if said.get(which)}


def words_of(path: Path) -> tuple[str, str]:
    """The title and the caption in a PNG or SVG of ours; "" where it has none."""
    if path.suffix == ".svg":
        # below the root there are other titles: the first of the metadata is the picture's
        tree = ElementTree.parse(path)
        found = {key: next(tree.iter(f"{_DUBLIN_CORE}{key.lower()}"), None) for key in _KEYS[".svg"].values()}
        said = {key: (each.text or "") for key, each in found.items() if each is not None}
    else:
        with Image.open(path) as image:
            said = {key: str(value) for key, value in image.info.items() if key in _KEYS[".png"].values()}
    return said.get("Title", ""), said.get("Description", "")
