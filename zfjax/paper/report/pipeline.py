"""Everything in order: trainings, tables, figures, claims, the document. What is done is not done again."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

from zfjax.errors import InputError
from zfjax.paper.report import figures, tables, transfer
from zfjax.paper.report.claims import judge
from zfjax.paper.report.document import Document, Section, section_from_dict, write_report
from zfjax.paper.report.plan import MAIN, RIVAL, Plan
from zfjax.paper.report.verdicts import how
from zfjax.runs.folder import versions
from zfjax.runs.results import differences, refuse
from zfjax.runtime.files import make_folder, read_json, write_json
from zfjax.terminal import say

# Networks first: all else reads them. Names are those that claims are judged by.
STEPS: dict[str, Callable[[Plan], Section]] = {
    "ablations": tables.ablations,
    "renormalisation": tables.renormalisation,
    "network": figures.the_network,
    "features": figures.strongest_activations,
    "evolution": figures.feature_evolution,
    "invariance": figures.feature_invariance,
    "selection": figures.two_architectures,
    "filters": figures.first_filters,
    "occlusion": figures.occlusions,
    "correspondence": figures.corresponding_parts,
    "units": figures.unit_pictures,
    "evaluation": tables.evaluation,
    "transfer": transfer.section,
    "baselines": tables.baselines,
}
ORDER = (  # as in the paper
    "network", "features", "evolution", "invariance", "selection", "filters", "renormalisation", "occlusion",
    "correspondence", "evaluation", "ablations", "transfer", "baselines", "units",
)  # fmt: skip


def make_report(plan: Plan) -> tuple[Path, Path]:
    """Runs the steps that are not done yet and writes report.md and report.html; returns their paths.

    A step that fails is left out, and tried again by the next call; only without the networks there is no report.
    Raises InputError when the folder holds a report of another plan, and at the end when steps have failed.
    """
    if MAIN not in plan.archs:
        raise InputError(f"the report's figures are of {MAIN}; --archs leaves it out")
    _check_data(plan)
    make_folder(plan.out / "steps")
    _refuse_other(plan)
    sections, failed = {}, {}
    for number, (name, step) in enumerate(STEPS.items(), start=1):
        path = plan.out / "steps" / f"{name}.json"
        if (stored := read_json(path)) is None:
            say(f"[{number}/{len(STEPS)}] {name}")
            begun = time.monotonic()
            section = _attempt(name, step, plan)
            made = {**dataclasses.asdict(section), "seconds": time.monotonic() - begun}
            stored = json.loads(json.dumps(made, default=_plain))
            if "failed" in section.measures:
                failed[name] = section.measures["left_out"]
            else:
                write_json(path, stored)
        sections[name] = (section_from_dict(stored), stored["seconds"])
    measures = {name: section.measures for name, (section, _) in sections.items()}
    claims = judge(measures)
    seconds = sum(seconds for _, seconds in sections.values())
    document = Document(
        "Visualizing and Understanding Convolutional Networks, reproduced",
        _conditions(plan, seconds, measures["ablations"]["val_top1"][MAIN]),
        claims,
        tuple(sections[name][0] for name in ORDER),
        _remark(plan, measures["ablations"]["val_top1"][MAIN]),
        how(len(plan.seeds)),
    )
    written = write_report(document, plan.out)
    if failed:
        listed = "; ".join(f"{name} ({reason})" for name, reason in failed.items())
        raise InputError(f"{written[0]} is written without {listed}; the same command tries again")
    return written


def _attempt(name: str, step: Callable[[Plan], Section], plan: Plan) -> Section:
    """What a step makes, or why it failed; raises InputError where that is the step that trains the networks."""
    try:
        return step(plan)
    except InputError as reason:
        if name == next(iter(STEPS)):
            raise
        say(f"left out: {name} ({reason})", error=True)
        left_out = {"left_out": str(reason), "failed": True}
        return Section(name.capitalize(), f"Left out: {reason}.", measures=left_out)


def _remark(plan: Plan, error: float) -> str:
    """A warning where the main network has learnt too little for claims about trained networks."""
    from zfjax.runs.run import load_run

    guessing = 1 - 1 / load_run(plan.run(MAIN)).arch.num_classes
    if error < guessing / 2:
        return ""
    return (
        f"The main network errs on {100 * error:.1f} % of the validation images, guessing on {100 * guessing:.1f} %: "
        "it has learnt little yet, so that these verdicts say little about trained networks."
    )


def _check_data(plan: Plan) -> None:
    """What is needed only after hours must be there at the beginning."""
    if plan.transfer:
        from zfjax.data.sources.pool import open_pool

        open_pool(plan.transfer, canvas_size=64, data_dir=plan.settings.data_dir)
    if plan.keypoints:
        from zfjax.data.keypoints import read_keypoints

        read_keypoints(plan.keypoints)


def _conditions(plan: Plan, seconds: float, error: float) -> dict[str, str]:
    import jax

    from zfjax.runs.run import load_run

    run, settings = load_run(plan.run(MAIN)), plan.settings
    arch, recipe = run.arch, run.arch.recipe
    devices = jax.devices()
    shown = {
        "scale": plan.scale,
        "data": settings.dataset,
        "training images": "all" if plan.train_images is None else f"{plan.train_images:,}",
        "main network": f"{arch.name} at {arch.image_size}x{arch.image_size}, width {settings.width or 1:g}, "
        f"{arch.param_count():,} parameters, {arch.num_classes} classes",
        "its validation error": f"{100 * error:.1f} % (guessing: {100 - 100 / arch.num_classes:.1f} %)",
        "rival": f"{RIVAL}, trained alike" if RIVAL in plan.archs else "none",
        "recipe": f"{recipe.epochs} epochs, {recipe.optimizer}, rate {recipe.top_rate:g}, batch "
        f"{recipe.batch_size}, weight decay {recipe.weight_decay:g}, pixels x {arch.input_scale:g}, filter radius "
        f"{recipe.filter_rms:g}",
        "seeds": ", ".join(map(str, plan.seeds)),
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "time": f"{seconds / 60:.1f} minutes for all steps",
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    return shown


def _refuse_other(plan: Plan) -> None:
    record = json.loads(json.dumps(dataclasses.asdict(plan), default=_plain))
    record.pop("out")
    path = plan.out / "plan.json"
    there = read_json(path)
    if there is None:
        write_json(path, record)
        return
    old, new = ({**each, **each["settings"], "settings": None} for each in (there, record))
    refuse(f"{plan.out} holds a report of", differences(old, new), advice="give another --out")


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)
