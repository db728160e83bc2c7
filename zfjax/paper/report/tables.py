"""The tables of the paper as sections of a report: networks are trained where they are not there yet."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from zfjax.draw.markdown import Table
from zfjax.paper.ablation import command as ablation
from zfjax.paper.ablation.table import short_name
from zfjax.paper.default_layers import first_convolutions
from zfjax.paper.report.document import Section
from zfjax.paper.report.plan import MAIN, RIVAL, Plan
from zfjax.runtime.files import read_json


def ablations(plan: Plan) -> Section:
    """Table 3; its runs are those of the figures too."""
    made = ablation.reproduce(
        ablation.Plan(
            settings=plan.settings,
            names=plan.archs,
            seeds=plan.seeds,
            out=plan.runs,
            train_images=plan.train_images,
            evolving=(MAIN,),
        )
    )
    networks = (read_json(plan.runs / "table3.json") or {})["networks"]
    counts = [run["val_top1"]["count"] for network in networks for run in network["runs"]]
    measures = {
        "val_top1": {network["arch"]: network["mean"].get("val_top1") for network in networks},
        "val_images": min(counts, default=None),
    }
    return Section("Table 3: layers removed and resized", tables=(made,), measures=measures)


def evaluation(plan: Plan) -> Section:
    """Table 2: ten crops, single networks and the ensemble of Fig. 3 and its wider sister."""
    from zfjax.data import open_for
    from zfjax.paper.evaluation.measure import error_rate, probabilities
    from zfjax.paper.numbers import IMAGENET
    from zfjax.runs.run import load_run

    names = {
        RIVAL: "replication of Krizhevsky et al., 1 net",
        MAIN: "Fig. 3, 1 net",
        "zf-512": "Fig. 3 with 512, 1024, 512 maps in layers 3, 4, 5, 1 net (b)",
    }
    runs = {name: load_run(plan.run(name)) for name in names if name in plan.archs and plan.run(name).exists()}
    shares: dict[str, Any] = {}
    labels = np.zeros(0, int)
    for name, run in runs.items():
        data = open_for(run, plan.settings.dataset, data_dir=plan.settings.data_dir)
        shares[names[name]], labels = probabilities(run, data.val, crops=10, progress=True)
    if len(shares) > 1:
        shares[f"{len(shares)} nets, averaged"] = sum(shares.values()) / len(shares)

    def ours(values: np.ndarray, k: int) -> str:
        rate = error_rate(values, labels, k)
        return f"{100 * rate.rate:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})" if k < values.shape[1] else "-"

    rows = []
    for name in dict.fromkeys((*IMAGENET, *shares)):
        paper = tuple("-" if value is None else f"{value:.1f}" for value in IMAGENET.get(name, (None,) * 3))
        rows.append((name, *([ours(shares[name], k) for k in (1, 5)] if name in shares else ("-", "-")), *paper))
    data_name = short_name(plan.settings.chosen_dataset)
    columns = ("network", f"val top-1, {data_name}", f"val top-5, {data_name}")
    columns += ("paper: val top-1, ImageNet", "paper: val top-5, ImageNet", "paper: test top-5, ImageNet")
    note = f"Error in percent, ours over {len(labels):,} validation images with the 95 % interval, ten crops averaged."
    return Section("Table 2: errors and ensembles", tables=(Table("Errors", columns, tuple(rows), (note,)),))


def renormalisation(plan: Plan) -> Section:
    """The main network once more without the cap on its filters."""
    from zfjax.paper.first_layers.measure import dominance, filter_rms
    from zfjax.runs.run import load_run

    capped = load_run(plan.run(MAIN))
    radius = capped.arch.recipe.filter_rms
    made = ablation.Plan(
        settings=dataclasses.replace(plan.settings, filter_rms=0.0),
        names=(MAIN,),
        seeds=plan.seeds[:1],
        out=plan.out / "runs-without-renormalisation",
        train_images=plan.train_images,
    )
    ablation.reproduce(made)
    free = load_run(made.out / plan.run(MAIN).name)
    first = first_convolutions(capped.arch)[0]
    kernels = [np.asarray(run.params[first]["kernel"]) for run in (capped, free)]
    with_cap, without = map(dominance, kernels)
    sizes = [filter_rms(kernel) for kernel in kernels]
    reached = float((sizes[0] >= 0.999 * radius).mean())  # rounding may leave it just below
    rows = ((f"radius {radius:g}", f"{with_cap:.2f}", f"{100 * reached:.0f} %"), ("none", f"{without:.2f}", "-"))
    columns = ("renormalisation", f"largest / median RMS of {first}'s filters", "filters at the radius in the end")
    measures = {"rms_with": sizes[0].tolist(), "rms_without": sizes[1].tolist(), "reached": reached > 0}
    text = "The same network, data, recipe and seed, with and without scaling filters back to the radius."
    table = Table("The first layer's filters", columns, rows, ("The paper gives no numbers for this.",))
    return Section("Fig. 6a: renormalisation", text, (table,), measures=measures)


def baselines(plan: Plan) -> Section:
    """The tutorial's comparison, on the same data."""
    from zfjax.paper.baselines import command as comparison

    small = {"dataset": plan.settings.dataset, "data_dir": plan.settings.data_dir}
    epochs = {"epochs": 2} if plan.scale == "smoke" else {}
    settings = dataclasses.replace(type(plan.settings)(), **small, **epochs)
    images = plan.extent.baseline_images or plan.train_images
    made = comparison.Plan(settings=settings, out=plan.out / "baselines", train_images=images)
    return Section("A convnet and other classifiers", tables=(comparison.reproduce(made),))
