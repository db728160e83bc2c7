"""The whole paper, or one of its tables for which networks are trained: python reproduce.py --scale=small"""

from __future__ import annotations

import signal
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from zfjax.cli.flags import parse_flags
from zfjax.draw.markdown import Table, markdown
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.paper.ablation import command as ablation
from zfjax.paper.baselines import command as baselines
from zfjax.paper.numbers import ABLATIONS
from zfjax.runtime.compile_cache import Programs
from zfjax.runtime.ranges import check_flag
from zfjax.runtime.signals import handled, leave
from zfjax.runtime.start import start
from zfjax.terminal import say
from zfjax.train.settings import Settings, fill


@dataclass(frozen=True)
class What:
    """What is done and where it goes; a class of its own so that --help begins with it."""

    table: Literal["3", "baselines"] | None = None
    """None: every figure and table of the paper, and its claims, as report.md and report.html. 3: errors of networks
    with layers removed or resized, beside the paper's. baselines: a convnet, a feed-forward net and scikit-learn's
    classifiers, beside the numbers of a tutorial on Sign Language Digits."""
    scale: Literal["smoke", "small", "imagenet"] = "small"
    """smoke: minutes, to see that it works. small: networks and recipe for small data on a CPU. imagenet: the paper's.
    Each sets the flags below that are not given."""
    out: str | None = None
    """Folder for runs and results; None: report, runs/table3 or runs/baselines."""
    archs: str = ""
    """Table 3: architectures, e.g. zf,alexnet; empty: the twelve of the paper (smoke report: six of them)."""
    seeds: str = "0"
    """Seeds of the trainings, e.g. 0,1,2: then Table 3 has means and standard deviations."""
    train_images: int | None = None
    """Train on a fixed random choice of so many images; None: all (smoke: 3000)."""
    train_sample: int | None = None
    """Table 3: how many training images the training error is measured on; None: as many as validation has."""
    split: Literal["own", "random"] = "own"
    """baselines: the data set's own split, or all its images divided again at random as in the tutorial."""
    transfer: str | None = None
    """Report: a data set with other classes for Tables 4 to 7; None: half of the classes are kept back for that."""
    keypoints: str | None = None
    """Report: JSON file with the places of parts for Table 1, where the data set is not scenes."""
    cnn: str = "sign-cnn"
    """baselines: the convnet, whose size of image all systems see; cifar-cnn for 32x32 in colour."""


@dataclass(frozen=True)
class ReproduceConfig(Programs, Settings, What):
    """Does the paper again, or one table of it; stop it at any time, the same command goes on where it was.

    Flags that are None take what the scale sets, or else the architecture's recipe.
    """


def main() -> None:
    config = parse_flags(ReproduceConfig)
    # SIGTERM between the trainings, which see to it themselves
    with handled(leave, (signal.SIGTERM,)), exit_on_bad_input():
        start(config.programs)
        if config.table is None:
            say("", *map(str, report(config)))
        else:
            table = table3(config) if config.table == "3" else tutorial(config)
            say("", *markdown(table).removesuffix("\n").split("\n"))


def report(config: ReproduceConfig) -> tuple[Path, Path]:
    """Everything in OUT/report.md and OUT/report.html."""
    from zfjax.paper.report.pipeline import make_report
    from zfjax.paper.report.plan import REPORTED, Plan

    filled = fill(config, ablation.SCALES[config.scale])
    plan = Plan(
        settings=Settings(**{each.name: getattr(filled, each.name) for each in fields(Settings)}),
        scale=config.scale,
        out=Path(config.out or "report"),
        archs=tuple(config.archs.split(",")) if config.archs else REPORTED[config.scale],
        seeds=_seeds(config),
        train_images=_train_images(config),
        transfer=config.transfer,
        keypoints=config.keypoints,
    )
    return make_report(plan)


def table3(config: ReproduceConfig) -> Table:
    """Table 3 in OUT/table3.md."""
    plan = ablation.Plan(
        settings=fill(config, ablation.SCALES[config.scale]),
        names=tuple(config.archs.split(",")) if config.archs else tuple(ABLATIONS),
        seeds=_seeds(config),
        out=Path(config.out or "runs/table3"),
        train_images=_train_images(config),
        train_sample=config.train_sample,
    )
    return ablation.reproduce(plan)


def tutorial(config: ReproduceConfig) -> Table:
    """The tutorial's comparison in OUT/baselines.md."""
    first, *others = _seeds(config)
    if others:
        raise InputError(f"--table=baselines trains each network once; give one of the seeds {config.seeds}")
    plan = baselines.Plan(
        settings=fill(config, baselines.SCALES[config.scale]),
        out=Path(config.out or f"runs/baselines{'-random' if config.split == 'random' else ''}"),
        cnn=config.cnn,
        split=config.split,
        seed=first,
        train_images=_train_images(config),
    )
    return baselines.reproduce(plan)


def _train_images(config: ReproduceConfig) -> int | None:
    return config.train_images or (3000 if config.scale == "smoke" else None)


def _seeds(config: ReproduceConfig) -> tuple[int, ...]:
    try:
        seeds = tuple(int(seed) for seed in config.seeds.split(","))
    except ValueError:
        raise InputError(f"--seeds takes numbers like 0,1,2, not {config.seeds!r}") from None
    check_flag("seeds", *seeds)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds takes different numbers, not {config.seeds!r}")
    return seeds


if __name__ == "__main__":
    main()
