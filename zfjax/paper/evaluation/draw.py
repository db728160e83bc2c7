"""What is taken for what: a picture of the confusion matrix of a classifier."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

from zfjax.draw.fonts import families
from zfjax.draw.page import CHART_STYLE, LABEL_PT, TEXT_WIDTH_IN, chart, own_parameters, save
from zfjax.draw.ramps import colours
from zfjax.errors import InputError
from zfjax.terminal import visible

COUNTED, NAMED = 20, 60  # classes up to which cells have room for their counts, and sides for the names
MISTAKES = 5  # told in words where names have no room
LETTERS = 28  # of a name beside the matrix
COLOURS = "Blues"


@own_parameters()
def draw_confusion(
    counts: np.ndarray, class_names: Sequence[str], path: str | Path, *, title: str, caption: str
) -> None:
    """Draws counts [K, K]: a row is a true class, a column a predicted one, the shade the share of the row.

    Up to 20 classes cells hold their counts, up to 60 the sides hold names; with more classes the shade grows with the
    square root of the share, or what is rare would not be seen. Raises InputError for other shapes, counts of nothing,
    or a path that cannot be written.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(class_names),) * 2 or not counts.sum():
        raise InputError(f"counts of {len(class_names)} classes must be [K, K] and not all zero, got {counts.shape}")
    shares = row_shares(counts)
    named = len(counts) <= NAMED
    height = min(6.2, 1.6 + 0.34 * len(counts)) if named else 5.6
    text = f"{_explain(counts, class_names)} {caption}"
    class_names = [visible(name) for name in class_names]
    class_names = [name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…" for name in class_names]
    with matplotlib.rc_context(CHART_STYLE):
        figure, part = chart(height, title=title, caption=text)
        longest = max(map(len, class_names)) * 0.045 if named else 0.35
        side = min(TEXT_WIDTH_IN - longest - 1.3, height - min(longest, 1.6) - 0.45)
        left = longest + 0.35
        axes = part.add_axes((left / TEXT_WIDTH_IN, 1 - (side + 0.05) / height, side / TEXT_WIDTH_IN, side / height))
        shades = colours(COLOURS).with_extremes(bad="0.9")
        norm = PowerNorm(0.5 if len(counts) > COUNTED else 1, 0, 1)
        # nearest, or a thousand classes on a thousand dots would bleed into one another; "auto" averages where finer
        drawn = axes.imshow(shares, cmap=shades, norm=norm, interpolation="nearest" if named else "auto")
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.spines[:].set_visible(True)
        if named:
            _name(axes, class_names)
        if len(counts) <= COUNTED:
            _count(axes, counts, shares, 72 * side / len(counts))
        bar = part.add_axes(
            ((left + side + 0.2) / TEXT_WIDTH_IN, 1 - 0.05 / height - 1.5 / height, 0.012, 1.5 / height)
        )
        figure.colorbar(drawn, cax=bar, label="share of the true class")
    save(figure, path)


def row_shares(counts: np.ndarray) -> np.ndarray:
    """[K, K] -> shares of each row, NaN for a class without images."""
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.nan)


def _name(axes: Axes, class_names: Sequence[str]) -> None:
    places = range(len(class_names))
    points = LABEL_PT if len(class_names) <= 40 else 0.75 * LABEL_PT
    style = {"fontsize": points, "family": families("".join(class_names))}
    axes.set_xticks(places, class_names, rotation=45, ha="right", rotation_mode="anchor", **style)
    axes.set_yticks(places, class_names, **style)
    axes.tick_params(length=1.5)


def _count(axes: Axes, counts: np.ndarray, shares: np.ndarray, cell_pt: float) -> None:
    """Every count but zero, in white on dark cells."""
    points = min(1.1 * LABEL_PT, 1.4 * cell_pt / max(2, len(str(counts.max()))))
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.55 else "black"
        style = {"ha": "center", "va": "center", "fontsize": points, "color": colour}
        axes.text(column, row, f"{counts[row, column]}", **style)


def _explain(counts: np.ndarray, class_names: Sequence[str]) -> str:
    right, total, empty = counts.trace(), counts.sum(), int((counts.sum(axis=1) == 0).sum())
    rooted = len(counts) > COUNTED
    text = "Shade: share of the row, on a square-root scale" if rooted else "Numbers: images; shade: share of the row"
    text += f"; {right:,} of {total:,} images are on the diagonal, where the answer is right."
    text += f" Grey rows have no images ({empty})." if empty else ""
    if len(counts) > NAMED and right < total:
        wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
        worst = np.argsort(-wrong, axis=None, kind="stable")[: min(MISTAKES, np.count_nonzero(wrong))]
        pairs = (divmod(int(place), len(counts)) for place in worst)
        named = (f"{class_names[row]} as {class_names[column]} ({wrong[row, column]})" for row, column in pairs)
        text += f" Most frequent mistakes: {'; '.join(named)}."
    return text
