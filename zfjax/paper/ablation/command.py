"""Table 3 (section 5.1): the same data, recipe and seeds for networks with layers removed or resized."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zfjax.arch import Arch
from zfjax.data.pipeline.batches import check_batch
from zfjax.draw.markdown import Table, markdown
from zfjax.errors import InputError
from zfjax.paper.ablation.table import Plan, Row, describe, record
from zfjax.runs.folder import CONFIG, open_run
from zfjax.runtime.files import make_folder, read_json, write_json, write_text
from zfjax.terminal import say
from zfjax.train.settings import PAPER_EPOCHS, Settings, resolve, training
from zfjax.zoo import get_arch, smallest_image

if TYPE_CHECKING:
    from zfjax.data import Dataset
    from zfjax.paper.ablation.measure import Errors

# On small data the paper's SGD stays long on the plateau that it starts on; this is zf-mini's recipe.
_SMALL_DATA = {
    "dataset": "scenes",
    "batch_size": 32,
    "learning_rate": 1e-3,
    "optimizer": "adam",
    "weight_decay": 1.0,
    "init": "he",
    "schedule": "cosine",
    "warmup_steps": 50,
    "input_scale": 1 / 8,
}
SCALES = {
    "smoke": {**_SMALL_DATA, "image_size": 64, "width": 1 / 8, "epochs": 3, "warmup_steps": 10},
    # half the paper's side: 54, 27, 12, 6, 6, 6, 6, 3 in place of 110, 55, 26, 13, 13, 13, 13, 6
    "small": {**_SMALL_DATA, "image_size": 112, "width": 1 / 4, "epochs": 8},
    "imagenet": {"dataset": "imagenet2012"},
}

TO_DO = "not trained yet"


def reproduce(plan: Plan) -> Table:
    """Trains and measures what is not there yet, each in OUT/ARCH (further seeds in OUT/ARCH-seedN), and writes
    OUT/table3.md and .json after every network.

    Raises InputError for wrong flags, data, and folders of other settings, all before the first training; SystemExit
    when it was stopped.
    """
    archs = {name: _fit(plan.settings, name) for name in plan.names}
    fitting = [arch for arch in archs.values() if isinstance(arch, Arch)]
    if not fitting:
        raise InputError(f"no network of {', '.join(archs)} can see images of {plan.settings.image_size} pixels")
    make_folder(plan.out)
    rows = {name: _row_so_far(plan, name, arch) for name, arch in archs.items()}
    for number, (name, arch) in enumerate(archs.items(), start=1):
        say(f"{name} ({number} of {len(archs)})")
        if rows[name].reason == TO_DO and isinstance(arch, Arch):
            rows[name] = _row(plan, arch)
        table = describe(plan, list(rows.values()), fitting, _data(plan, fitting[0]))
        write_text(plan.out / "table3.md", markdown(table))
        write_json(
            plan.out / "table3.json", {**dataclasses.asdict(table), "networks": [record(row) for row in rows.values()]}
        )
    return table


def _row_so_far(plan: Plan, name: str, arch: Arch | str) -> Row:
    """What earlier calls have measured. Raises InputError for folders of other settings and for bad data."""
    if isinstance(arch, str):
        return Row(name, None, (), arch)
    jobs = [_job(plan, arch, seed) for seed in plan.seeds]
    runs = [known for job in jobs if (known := job.known())]
    params = jobs[0].arch.param_count()
    return Row(name, params, tuple(runs)) if len(runs) == len(jobs) else Row(name, params, (), TO_DO)


def _fit(settings: Settings, name: str) -> Arch | str:
    """The network, or why it cannot be. Raises InputError for a name that there is not, and as `resolve` does."""
    own = get_arch(name).image_size
    size, least = settings.image_size or own, smallest_image(name)
    return resolve(settings, name) if size >= least else f"needs images of {least}x{least} pixels"


def _row(plan: Plan, arch: Arch) -> Row:
    """Trains what is missing."""
    jobs = [_job(plan, arch, seed) for seed in plan.seeds]
    params = jobs[0].arch.param_count()
    try:
        return Row(arch.name, params, tuple(job.known() or job.run() for job in jobs))
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise  # a signal; a sentence is a training that came to nothing, which need not stop the others
        say(stop.code, error=True)
        return Row(arch.name, params, (), stop.code.removeprefix("error: ").split(";")[0])


def _data(plan: Plan, arch: Arch) -> Dataset:
    from zfjax.preprocess import Preprocess

    side = Preprocess.of(arch).smallest_side
    return _open(plan.settings.chosen_dataset, side, arch.channels, plan.settings.data_dir, plan.train_images)


@functools.lru_cache(maxsize=1)  # networks of one size share the decoded images
def _open(name: str, canvas_size: int, channels: int, data_dir: str | None, train_images: int | None) -> Dataset:
    from zfjax.data import open_dataset
    from zfjax.paper.ablation.measure import with_fewer

    data = open_dataset(name, canvas_size=canvas_size, channels=channels, data_dir=data_dir)
    return with_fewer(data, train_images)


def _job(plan: Plan, arch: Arch, seed: int) -> _Job:
    data = _data(plan, arch)
    check_batch(data.train, arch.recipe.batch_size)
    arch = dataclasses.replace(arch, num_classes=len(data.class_names))
    workdir = plan.out / (f"{arch.name}-seed{seed}" if seed else arch.name)
    part: dict = {} if plan.train_images is None else {"train_images": plan.train_images}
    keep = PAPER_EPOCHS if arch.name in plan.evolving else ()
    options = training(plan.settings, arch, data, workdir, seed=seed, keep_epochs=keep, **part)
    sample = min(plan.train_sample or len(data.val), len(data.train))
    return _Job(arch, data, workdir, sample, options)


class _Job(NamedTuple):
    """One network with one seed: where it is trained, by which options, and on how many images it is measured."""

    arch: Arch
    data: Dataset
    workdir: Path
    sample: int
    options: dict

    @property
    def about(self) -> dict:
        return {"epochs": self.arch.recipe.epochs, "train_sample": self.sample}

    def known(self) -> Errors | None:
        """What was measured, if it was. Raises InputError for a run of other settings."""
        from zfjax.paper.ablation.measure import Errors

        options = {"may_differ": self.options["may_differ"]}
        if not (self.workdir / CONFIG).exists() or not open_run(self.workdir, self.options["config"], **options):
            return None
        there = read_json(self.workdir / "errors.json")
        return Errors.from_dict(there) if there and there.get("measured") == self.about else None

    def run(self) -> Errors:
        """Trains to the end, measures, and leaves the errors in the run folder."""
        from zfjax.paper.ablation.measure import fixed_sample, measure
        from zfjax.runs.run import load_run
        from zfjax.train.loop import train

        train(dataset=self.data, **self.options)
        errors = measure(load_run(self.workdir), self.data, sample=fixed_sample(len(self.data.train), self.sample))
        write_json(self.workdir / "errors.json", {"measured": self.about, **errors.to_dict()})
        return errors
