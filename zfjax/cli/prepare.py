"""Makes a prepared set, once: python -m zfjax.data.prepare --dataset=folder:PATH --out=PREPARED"""

from __future__ import annotations

from zfjax.cli.flags import parse_flags
from zfjax.data.prepare import PrepareConfig, check, prepare
from zfjax.errors import exit_on_bad_input
from zfjax.runtime.cpu import tune_cpu
from zfjax.runtime.places import user_path


def main() -> None:
    config = parse_flags(PrepareConfig)
    with exit_on_bad_input():
        tune_cpu()
        if config.check:
            check(user_path(config.out))
        else:
            prepare(config)


if __name__ == "__main__":
    main()
