"""Walks through a run's network in a browser: python explore.py --ckpt=runs/zf"""

from __future__ import annotations

from dataclasses import dataclass

from zfjax.cli.flags import parse_flags
from zfjax.errors import exit_on_bad_input
from zfjax.runtime.compile_cache import Programs
from zfjax.runtime.start import start
from zfjax.web.live.command import Options, explore


@dataclass(frozen=True, kw_only=True)
class ExploreConfig(Options, Programs):
    """Opens a microscope in the browser: show it a picture, see what every layer makes of it, click a place of a map
    and its projection appears. Served on this machine alone, and nothing is written to the disk."""


def main() -> None:
    config = parse_flags(ExploreConfig)
    with exit_on_bad_input():
        explore(config, lambda: start(config.programs))


if __name__ == "__main__":
    main()
