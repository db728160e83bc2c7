"""The page of a figure: one raster mosaic, every pixel a whole number of dots, and text that stays text."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from zfjax.draw.fonts import FONT, families
from zfjax.draw.words import CAPTION, TITLE, words
from zfjax.errors import InputError
from zfjax.runtime.files import own_part, whole
from zfjax.terminal import visible

TEXT_WIDTH_IN, COLUMN_WIDTH_IN = 7.0, 3.5  # of a printed page
MIN_DPI, MAX_DPI = 200, 600
TITLE_PT, CAPTION_PT, LABEL_PT = 8.5, 7.0, 6.0
LINE_SPACING = 1.35
LINE_IN_PER_PT = LINE_SPACING / 72
CHART_STYLE: Any = {
    "font.family": FONT,
    "font.size": LABEL_PT,
    "axes.titlesize": CAPTION_PT,
    "axes.labelsize": CAPTION_PT,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "axes.prop_cycle": cycler(color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222"]),
}  # the colours of Okabe & Ito, told apart by colour-blind readers too
FORMATS = {  # without dates: the same input gives the same bytes
    ".png": {"pil_kwargs": {"compress_level": 3}},  # twice as fast as 6, and hardly larger: photos do not compress
    ".pdf": {"metadata": {"CreationDate": None}},
    ".svg": {"metadata": {"Date": None}},
}
# Text as text, as wide as it was measured, and none of it a formula: names may hold any dollar and backslash. SVG
# element names from a fixed salt instead of a random one.
STYLE: Any = {
    "text.parse_math": False,
    "text.hinting": "no_hinting",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "zfjax",
}


@contextmanager
def own_parameters() -> Iterator[None]:
    """In the block, or in a function so decorated, matplotlib draws by its defaults and our style.

    A matplotlibrc or a notebook's style would turn pictures upside down under their labels; what it has set is back
    when the block ends. Whoever makes or fills a figure does it in here.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # which `families` says once
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


_written: ContextVar[bool] = ContextVar("title and caption", default=True)


@contextmanager
def without_caption() -> Iterator[None]:
    """In the block pages have neither title nor caption on them, for papers that set their own; both are in the files'
    metadata as text."""
    before = _written.set(False)
    try:
        yield
    finally:
        _written.reset(before)


def page(
    mosaic: np.ndarray, *, title: str, caption: str, width_in: float = TEXT_WIDTH_IN, legend_in: float = 0
) -> tuple[Figure, Axes]:
    """A figure of a mosaic, uint8 [H, W, 3], between its title and its caption, both wrapped to `width_in`.

    The axes span the mosaic and are measured in its pixels from the top left, so labels go where pictures are.
    legend_in: inches left blank under the mosaic. The resolution is the lowest from 200 dpi on that gives every pixel
    a whole number of dots; mosaics too fine for 600 dpi are smoothed down to that.
    """
    height, width = mosaic.shape[:2]
    whole_dpi = math.ceil(MIN_DPI * width_in / width) * width / width_in
    dpi = min(whole_dpi, MAX_DPI)
    head, above, foot, below = _texts(title, caption, width_in, gap_in=0.03)
    # Whole dots, or the mosaic would be cut at half a dot and drop or double a row.
    head_dots = math.ceil(dpi * above)
    foot_dots = math.ceil(dpi * (below + legend_in))
    body_dots = round(dpi * height * width_in / width)
    total = head_dots + body_dots + foot_dots

    figure = Figure(figsize=(width_in, total / dpi), dpi=dpi)
    axes = figure.add_axes((0, foot_dots / total, 1, body_dots / total))
    axes.set_axis_off()
    axes.imshow(
        np.dstack([mosaic, np.full((height, width), 255, np.uint8)]),  # without alpha, matplotlib doubles the memory
        interpolation="nearest" if dpi == whole_dpi else "hanning",
        extent=(0, width, height, 0),
        aspect="auto",
    )
    _write(figure, head, foot, total / dpi)
    return figure, axes


def chart(height_in: float, *, title: str, caption: str, width_in: float = TEXT_WIDTH_IN) -> tuple[Figure, SubFigure]:
    """A figure for curves: its title, a part of `height_in` inches to draw in, its caption.

    Draw into the part under `own_parameters` and `rc_context(CHART_STYLE)`, for instance `part.subplots(1, 3)`, then
    `save` the figure.
    """
    head, above, foot, below = _texts(title, caption, width_in, gap_in=0.05)
    total = above + height_in + below
    figure = Figure(figsize=(width_in, total), dpi=MIN_DPI)
    heights = [above, height_in, below]
    part = figure.add_subfigure(figure.add_gridspec(3, 1, height_ratios=heights, hspace=0)[1])
    _write(figure, head, foot, total)
    return figure, part


def square(part: SubFigure, left: float, top: float, side: float, height_in: float) -> Axes:
    """Square axes without lines at a place of a `chart`'s part of `height_in` inches, in inches from its top left."""
    box = left / TEXT_WIDTH_IN, 1 - (top + side) / height_in, side / TEXT_WIDTH_IN, side / height_in
    axes = part.add_axes(box, anchor="NW")
    axes.set_axis_off()
    return axes


def label(axes: Axes, x: float, y: float, text: str, **style) -> None:
    """Small text at a place of the mosaic, in its pixels."""
    axes.text(x, y, text, fontsize=LABEL_PT, family=FONT, **style)


def digits(value: float) -> str:
    """Three digits: 1.60, 203, 0.0412."""
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure as PNG, PDF or SVG, by the suffix of `path`: whole or not at all, the same bytes every time.

    Title and caption are in the file as text too. Creates missing folders. Raises InputError for another suffix or a
    place that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"cannot draw {path}: the name must end in {', '.join(FORMATS)}, got {path.suffix!r}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _spell(figure)
        options = {**FORMATS[suffix], "metadata": {**FORMATS[suffix].get("metadata", {}), **words(figure, suffix)}}
        with whole(path, part=own_part(path)) as part, matplotlib.rc_context(STYLE):
            figure.savefig(part, format=suffix[1:], dpi=figure.dpi, **options)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


def _spell(artist: Artist) -> None:
    """Gives each text of a figure the fonts that it takes; what would break an SVG in it becomes an escape.

    Not what is beside an axis, which is written again when the figure is saved (and slow to make for a hidden one).
    """
    if isinstance(artist, Text):
        artist.set_text(visible(artist.get_text(), keep="\n"))
        if len(chosen := families(artist.get_text())) > 1:
            artist.set_fontfamily(chosen)
    for child in artist.get_children():
        if not isinstance(child, Axis):
            _spell(child)


def _texts(title: str, caption: str, width_in: float, *, gap_in: float) -> tuple[str, float, str, float]:
    """Title and caption in lines, each with the inches that it takes; the gap is below the title."""
    head, foot = _lines(title, TITLE_PT, width_in, "bold"), _lines(caption, CAPTION_PT, width_in)
    above, below = len(head) * TITLE_PT * LINE_IN_PER_PT + gap_in, len(foot) * CAPTION_PT * LINE_IN_PER_PT + 0.08
    return "\n".join(head), above * _written.get(), "\n".join(foot), below * _written.get()


def _write(figure: Figure, head: str, foot: str, total_in: float) -> None:
    """What is not visible is in the file's metadata all the same."""
    style = {"ha": "left", "linespacing": LINE_SPACING, "family": FONT, "visible": _written.get()}
    figure.text(0, 1, head, va="top", fontsize=TITLE_PT, weight="bold", gid=TITLE, **style)
    figure.text(0, 0.02 / total_in, foot, va="bottom", fontsize=CAPTION_PT, color="0.2", gid=CAPTION, **style)


def _lines(text: str, size: float, width_in: float, weight: str = "normal") -> list[str]:
    """Text broken to a width. Measured, not counted: matplotlib wraps too late to make room for the lines."""
    text = visible(text, keep="\n\t")
    font = FontProperties(family=families(text), size=size, weight=weight)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        fits = text_to_path.get_text_width_height_descent(longer, font, ismath=False)[0] <= 71 * width_in
        lines[-1:] = [longer] if fits or not lines[-1] else [lines[-1], word]
    return lines
