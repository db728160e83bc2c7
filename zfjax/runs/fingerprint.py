"""Which network it is that results were made with: a retrained run has the same name, and often the same step."""

from __future__ import annotations

import hashlib
import json

import jax
import numpy as np

from zfjax.runs.run import Run


def run_fingerprint(run: Run) -> str:
    """Of all that decides a run's features: its layers, parameters, mean image and the scale of its input."""
    layers = {key: value for key, value in run.arch.to_dict().items() if key not in ("name", "recipe", "num_classes")}
    digest = hashlib.sha256(json.dumps([layers, run.preprocess.to_dict()]).encode())
    for leaf in (run.mean, *jax.tree.leaves(run.params)):
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()[:16]
