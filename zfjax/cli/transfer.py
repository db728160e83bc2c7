"""How well a run's features serve another data set: python transfer.py --ckpt=runs/zf --dataset=caltech101"""

from __future__ import annotations

from dataclasses import dataclass

from zfjax.cli.flags import parse_flags
from zfjax.errors import InputError, exit_on_bad_input
from zfjax.paper.transfer.command import pascal, transfer
from zfjax.paper.transfer.options import CLASSIFIERS, Options
from zfjax.runtime.compile_cache import Programs
from zfjax.runtime.start import start


@dataclass(frozen=True, kw_only=True)
class TransferConfig(Options, Programs):
    """Trains new classifiers on the frozen layers of a run (section 5: Tables 4, 5 and 7, Fig. 9).

    All images of the data set, whatever their split, are the pool that random folds are drawn from: so many training
    images of every class, of the others up to --test_per_class to test on. Accuracy is the mean over classes.
    Features are brought to unit length, and then to a root mean square distance of one from the mean of the training
    images. Stop it at any time; the same command goes on where it was.
    """


def main() -> None:
    config = parse_flags(TransferConfig)
    with exit_on_bad_input():
        _check(config)
        start(config.programs)
        (pascal if config.dataset.partition("/")[0] == "voc" else transfer)(config)


def _check(config: TransferConfig) -> None:
    wrong = [name for name in config.chosen if name not in CLASSIFIERS]
    if wrong or not config.chosen:
        raise InputError(f"--classifiers takes softmax,svm, not {wrong[0] if wrong else config.classifiers!r}")
    for name in config.chosen:
        if len(config.grids[name]) > 1 and min(config.counts) < 2:
            raise InputError(f"--train_per_class=1 leaves no image to choose C by; give a single value as --{name}_c")


if __name__ == "__main__":
    main()
