"""Table 1 as text: ours, and the paper's beside the layers that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zfjax.draw.markdown import Table
from zfjax.paper.numbers import CORRESPONDENCE

if TYPE_CHECKING:
    from zfjax.paper.correspondence.measure import Result

PAPERS = {"pool5": "layer 5", "fc7": "layer 7"}  # what the paper calls them


def text_table(result: Result) -> Table:
    """A row a part and a kind of random placing; how to read it in the note."""
    layers = result.layers
    cited = [PAPERS[layer] for layer in layers if layer in PAPERS]
    columns = (
        "covered",
        *layers,
        *(f"random below, {layer}" for layer in layers),
        *(f"paper, {name}" for name in cited),
    )
    rows = []
    for name, row in {**result.parts, **result.controls}.items():
        shown = name.replace("_", " ")
        lower = result.lower.get(name)
        below = [f"{round(lower[layer] * result.draws)} of {result.draws}" if lower else "" for layer in layers]
        paper = _paper(shown)
        rows.append(
            (shown, *(_pair(row[layer]) for layer in layers), *below, *(_pair(paper.get(key)) for key in cited))
        )
    return Table("Correspondence (Table 1)", columns, tuple(rows), _note(result, bool(cited)))


def _paper(covered: str) -> dict[str, tuple[float, float]]:
    """The paper's row for what is covered; none for what it did not cover."""
    return next((row for key, row in CORRESPONDENCE.items() if covered == key or covered.startswith(f"{key} ")), {})


def _pair(value: tuple[float, float] | None) -> str:
    """Mean and standard deviation."""
    return f"{value[0]:.3f} ± {value[1]:.3f}" if value else ""


def _note(result: Result, cited: bool) -> tuple[str, ...]:
    count = len(result.images)
    note = (
        f"Share of components in which the sign (−1, 0, 1) of the change differs between two images, mean ± standard "
        f"deviation over the {count * (count - 1) // 2} pairs of {count} images; lower is more alike.",
        f"Random: {result.draws} placings of the square within the image, for each image on its own; same place: at "
        f"one place for all images.",
        "Random below: random placings whose mean is lower than the part's.",
    )
    return (*note, "The paper's columns: its Table 1, five dogs, trained on ImageNet.") if cited else note
