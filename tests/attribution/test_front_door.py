"""What `import zfjax` offers of these methods loads no other wing and no drawing library; models compile once."""

import numpy as np
from runs import finish, one_cpu, start

import zfjax

PROGRAM = """
import sys
import zfjax
zfjax.occlusion_map, zfjax.network_occlusion_map, zfjax.invariance_curves, zfjax.correspondence
strangers = ("matplotlib", *(f"zfjax.{wing}" for wing in ("data", "draw", "paper", "runs", "train", "cli")))
print([name for name in sys.modules if name.startswith(strangers)])
"""


def test_neither_data_nor_drawings_are_loaded():
    ended = finish(start("-c", PROGRAM, env=one_cpu()))
    assert ended.code == 0 and ended.said.strip() == "[]", ended


def test_a_model_is_traced_once():
    traced = []

    def model(params, images):
        traced.append(images.shape)
        return {"sums": images.sum((1, 2)) * params}

    images = np.random.default_rng(0).uniform(1, 2, (3, 8, 8, 1)).astype(np.float32)
    places = np.full((2, 3, 2), 4, np.int32)
    for scale in (1.0, 2.0):
        zfjax.correspondence(model, scale, images, places, size=3)
    assert traced == [images.shape]
