"""Table 3 as text and as data: ours beside the paper's, and where every number is from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zfjax.arch import Arch
from zfjax.draw.markdown import Table
from zfjax.paper.numbers import ABLATIONS
from zfjax.train.settings import Settings

if TYPE_CHECKING:
    from zfjax.data import Dataset
    from zfjax.paper.ablation.measure import Errors

LABELS = {
    "alexnet": "Krizhevsky et al. 2012, replicated",
    "alexnet-no34": "Krizhevsky, without layers 3, 4",
    "alexnet-no7": "Krizhevsky, without layer 7",
    "alexnet-no67": "Krizhevsky, without layers 6, 7",
    "alexnet-no3467": "Krizhevsky, without layers 3, 4, 6, 7",
    "alexnet-fc2048": "Krizhevsky, layers 6, 7: 2048 units",
    "alexnet-fc8192": "Krizhevsky, layers 6, 7: 8192 units",
    "zf": "Fig. 3",
    "zf-fc2048": "Fig. 3, layers 6, 7: 2048 units",
    "zf-fc8192": "Fig. 3, layers 6, 7: 8192 units",
    "zf-512": "Fig. 3, layers 3, 4, 5: 512, 1024, 512 maps",
    "zf-512-fc8192": "Fig. 3, both 8192 units and 512, 1024, 512 maps",
}
MEASURES = {"train_top1": "train top-1", "val_top1": "val top-1", "val_top5": "val top-5"}


class Row(NamedTuple):
    """A network and its errors, one for each seed; or the reason why there are none."""

    name: str
    params: int | None
    runs: tuple[Errors, ...]
    reason: str = ""


class Plan(NamedTuple):
    """What is compared, and where it goes."""

    settings: Settings
    names: tuple[str, ...]
    seeds: tuple[int, ...]
    out: Path
    train_images: int | None = None
    train_sample: int | None = None
    evolving: tuple[str, ...] = ()  # networks whose states at the paper's epochs are kept (Fig. 4)


def describe(plan: Plan, rows: Sequence[Row], archs: Sequence[Arch], data: Dataset) -> Table:
    """The table of the rows so far. archs: the networks that are trained, for their sizes and recipes."""
    ours = tuple(f"{measure}, {short_name(data.name)}" for measure in MEASURES.values())
    paper = tuple(f"paper: {measure}, ImageNet" for measure in MEASURES.values())
    cells = [(LABELS.get(row.name, row.name), _count(row), *_ours(row), *_paper(row)) for row in rows]
    return Table(
        "Table 3: error in percent of networks with layers removed or resized",
        ("network", "parameters", *ours, *paper),
        tuple(cells),
        _notes(plan, rows, archs, data),
    )


def short_name(dataset: str) -> str:
    """ "photos" for "folder:../shared/photos"; other names as they are."""
    return Path(dataset.partition(":")[2]).name if dataset.startswith("folder:") else dataset


def _count(row: Row) -> str:
    return "-" if row.params is None else f"{row.params:,}"


def _ours(row: Row) -> tuple[str, ...]:
    if not row.runs:
        return row.reason, "-", "-"
    return tuple(_spread(_means(row)[name]) for name in MEASURES)


def _paper(row: Row) -> tuple[str, ...]:
    return tuple(f"{value:.1f}" for value in ABLATIONS[row.name]) if row.name in ABLATIONS else ("-",) * 3


def _spread(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return "-"
    mean, deviation = value
    return f"{100 * mean:.1f}" if deviation is None else f"{100 * mean:.1f} ± {100 * deviation:.1f}"


def _means(row: Row) -> dict[str, tuple[float, float | None] | None]:
    from zfjax.paper.ablation.measure import mean_and_deviation

    columns = {name: [getattr(errors, name) for errors in row.runs] for name in MEASURES}
    return {
        name: mean_and_deviation([rate.rate for rate in rates]) if rates and all(rates) else None
        for name, rates in columns.items()
    }


def record(row: Row) -> dict:
    """A row as plain data for JSON, with the paper's numbers."""
    means = {name: value and value[0] for name, value in _means(row).items()}
    paper = dict(zip(MEASURES, ABLATIONS[row.name], strict=True)) if row.name in ABLATIONS else None
    return {
        "arch": row.name,
        "parameters": row.params,
        "runs": [errors.to_dict() for errors in row.runs],
        "mean": means,
        "paper_percent": paper,
        "reason": row.reason or None,
    }


def _notes(plan: Plan, rows: Sequence[Row], archs: Sequence[Arch], data: Dataset) -> tuple[str, ...]:
    first, measured = archs[0], [errors for row in rows for errors in row.runs]
    sizes = sorted({f"{arch.image_size}x{arch.image_size}" for arch in archs})
    epochs = sorted({str(arch.recipe.epochs) for arch in archs})
    width = plan.settings.width or 1
    ours = [
        f"Ours: {plan.settings.dataset}, {len(data.train):,} training and {len(data.val):,} validation images in "
        f"{len(data.class_names)} classes; {' and '.join(sizes)} pixels; "
        f"{'full width' if width == 1 else f'{width:g} times the maps and units that the names say'}; "
        f"{' or '.join(epochs)} epochs; {_seeds(plan.seeds)}.",
        f"Recipe: {_recipe(first)}." if len({arch.recipe for arch in archs}) == 1 else "Each by its own recipe.",
    ]
    if measured:
        ours.append(
            f"Train top-1 is on {measured[0].train_top1.count:,} of the training images; all in evaluation mode on the "
            f"centre crop. The 95 % intervals of single errors reach at most {_reach(measured):.1f} points."
        )
    return (*ours, "Paper: ImageNet 2012, 1.3 million training images in 1,000 classes, 224x224 pixels, full width.")


def _seeds(seeds: Sequence[int]) -> str:
    numbers = ", ".join(map(str, seeds))
    return f"seed {numbers}" if len(seeds) == 1 else f"mean ± standard deviation over the seeds {numbers}"


def _reach(measured: Sequence[Errors]) -> float:
    rates = [rate for errors in measured for rate in errors if rate]
    return max(100 * max(rate.high - rate.rate, rate.rate - rate.low) for rate in rates)


def _recipe(arch: Arch) -> str:
    recipe = arch.recipe
    return (
        f"{recipe.optimizer}, rate {recipe.top_rate:g} ({recipe.schedule}, {recipe.warmup_steps} warm-up steps), "
        f"batch {recipe.batch_size}, weight decay {recipe.weight_decay:g}, initial weights {recipe.init!r}, "
        f"pixels x {arch.input_scale:g}, filters within {recipe.filter_rms:g}, crops {recipe.crops!r}"
    )
