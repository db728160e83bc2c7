"""All commands under one name: `zfjax train --arch=zf` is `python train.py --arch=zf`, from any folder."""

from __future__ import annotations

import importlib
import sys

from zfjax.terminal import say

COMMANDS = {  # name: (module with a `main`, what it does)
    "train": ("zfjax.cli.train", "train a convnet"),
    "evaluate": ("zfjax.cli.evaluate", "error rates of a run, or of several averaged (Table 2)"),
    "visualize": ("zfjax.cli.visualize", "draw the paper's figures from a run"),
    "explore": ("zfjax.cli.explore", "walk through a run in a browser: a live microscope"),
    "transfer": ("zfjax.cli.transfer", "how well a run's features serve another data set (Tables 4 to 7)"),
    "reproduce": ("zfjax.cli.reproduce", "the whole paper, or one of its tables for which networks are trained"),
    "prepare": ("zfjax.cli.prepare", "resize and store a data set once, for fast training"),
    "weights": ("zfjax.cli.weights", "a run folder of published weights: PyTorch, safetensors, npz, ONNX"),
    "arch": ("zfjax.zoo", "the architectures by name, or one as a table"),
}


def main() -> None:
    """The console script `zfjax`; each command answers --help. Exit code 2 for one that there is not."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        say(*_usage())
        return
    name = arguments[0]
    if name not in COMMANDS:
        say(f"error: unknown command {name!r}; there are {', '.join(COMMANDS)}", error=True)
        sys.exit(2)
    sys.argv = [f"zfjax {name}", *arguments[1:]]
    importlib.import_module(COMMANDS[name][0]).main()


def _usage() -> list[str]:
    lines = [f"  {name:<11}{about}" for name, (_, about) in COMMANDS.items()]
    return ["usage: zfjax COMMAND [flags]; zfjax COMMAND --help tells them", "", *lines]


if __name__ == "__main__":
    main()
