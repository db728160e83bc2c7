"""The learning rate of batches larger or smaller than the recipe's, by hand."""

import dataclasses
import json

import jax.numpy as jnp
import pytest
from test_places import SMALL, Noise

from zfjax.data import Dataset
from zfjax.errors import InputError
from zfjax.recipe import Recipe
from zfjax.runs.config import as_today, config_differences, to_json
from zfjax.train.settings import Settings, resolve, training
from zfjax.train.step import learning_rate


@pytest.mark.parametrize("more", [{}, {"warmup_steps": 3}])
def test_the_rate_rises_by_as_much_with_every_step(more):
    """Eight times the rate after five epochs of 20 steps, and from the rate itself; a quarter at once."""
    recipe = Recipe(learning_rate=0.01, epochs=70, rate_scale=8, **more)
    total = 70 * 20
    for step, expected in ((0, 0.01), (1, 0.0107), (50, 0.045), (99, 0.0793), (100, 0.08), (1399, 0.08)):
        expected *= min(1, (step + 1) / 4) if more else 1  # the recipe's own warm-up goes on beside it
        assert float(learning_rate(recipe, jnp.int32(step), jnp.int32(0), total)) == pytest.approx(expected)
    assert learning_rate(recipe, 1399, 2, total) == pytest.approx(0.0008)  # and the drops
    assert recipe.top_rate == 0.08
    smaller = dataclasses.replace(recipe, rate_scale=0.25, warmup_steps=0)
    assert [float(learning_rate(smaller, step, 0, total)) for step in (0, 100)] == [pytest.approx(0.0025)] * 2


def test_the_flag_compares_with_the_batch_of_the_recipe():
    assert resolve(Settings(batch_size=1024), "zf").recipe.rate_scale == 1
    assert resolve(Settings(scale_rate=True), "zf").recipe.rate_scale == 1
    larger = resolve(Settings(batch_size=1024, scale_rate=True, learning_rate=0.02), "zf").recipe
    assert (larger.rate_scale, larger.learning_rate) == (8, 0.02)
    with pytest.raises(InputError, match="--scale_rate is a rule for sgd, and the optimizer is adam; give a"):
        resolve(Settings(batch_size=1024, scale_rate=True, optimizer="adam"), "zf")
    with pytest.raises(InputError, match="rate_scale must be a finite number"):
        Recipe(rate_scale=float("nan"))


def test_runs_of_earlier_versions_go_on_and_others_do_not():
    def recorded(scale: float) -> dict:
        arch = dataclasses.replace(SMALL, recipe=dataclasses.replace(SMALL.recipe, rate_scale=scale))
        noise = Dataset("noise", Noise(), Noise(), Noise.class_names, "noise")
        return training(Settings(scale_rate=scale != 1), arch, noise, "runs/x")

    now = recorded(1.0)
    here = json.loads(to_json(now["config"]))
    there = json.loads(to_json(now["config"]))
    del there["scale_rate"], there["arch"]["recipe"]["rate_scale"]
    assert config_differences(as_today(there, here), here, now["may_differ"]) == []
    scaled = json.loads(to_json(recorded(4.0)["config"]))
    [difference] = config_differences(as_today(there, scaled), scaled, now["may_differ"])
    assert difference.startswith("arch.recipe.rate_scale: ")
