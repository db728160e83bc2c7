"""Top-1 and top-5 error of one run or an ensemble: python evaluate.py --ckpt=runs/zf"""

from __future__ import annotations

from dataclasses import dataclass

from zfjax.cli.flags import parse_flags
from zfjax.errors import exit_on_bad_input
from zfjax.paper.evaluation.command import Options, evaluate
from zfjax.runtime.compile_cache import Programs
from zfjax.runtime.start import start


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Options, Programs):
    """Measures error rates on a data set as in Table 2; several runs are also averaged into an ensemble."""


def main() -> None:
    config = parse_flags(EvaluateConfig)
    with exit_on_bad_input(skips=True):
        start(config.programs)
        evaluate(config)


if __name__ == "__main__":
    main()
