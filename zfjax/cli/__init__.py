"""The commands: flags, checks, and what they call."""

import importlib.util
import sys

if importlib.util.find_spec("jax") is None:  # train.py beside a checkout, called by another Python than its own
    sys.exit(
        f"error: {sys.executable} has no jax; `make install` makes an environment, and `. .venv/bin/activate` takes it"
    )
