"""Error rates by hand, the interval against its published values, crops and ensembles against plain sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, canvas_side, random_params, run_of
from test_mining import Noise

from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.paper.evaluation.measure import confusion, error_rate, probabilities, wilson_interval

MEAN = np.full((canvas_side(TINY), canvas_side(TINY), 3), 127.0, np.float32)


def test_error_rates_by_hand():
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.4, 0.4, 0.2]])
    labels = np.array([0, 2, 1])
    assert error_rate(shares, labels, 1).rate == pytest.approx(2 / 3)  # a tie goes to the first class
    assert error_rate(shares, labels, 2).rate == pytest.approx(1 / 3)
    assert error_rate(shares, labels, 5)[:2] == (0.0, 0.0) and error_rate(shares, labels, 5).count == 3
    assert confusion(shares, labels).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_interval_against_published_values():
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


@pytest.mark.parametrize("crops", [1, 10])
def test_probabilities_are_softmaxes_averaged_over_crops(crops):
    source, params = Noise(7, canvas_side(TINY)), jax.tree.map(jnp.asarray, random_params(TINY))
    run = run_of(TINY, params, MEAN, ("a",) * 5, {}, 0)
    shares, labels = probabilities(run, source, crops=crops, batch_size=4)
    assert shares.shape == (7, 5) and labels.tolist() == [0] * 7
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    images = jnp.asarray(source.images)
    views = run.preprocess.ten(images) if crops == 10 else run.preprocess.centre(images)[None]
    run_forward = jax.jit(forward, static_argnums=0)
    expected = np.mean([jax.nn.softmax(run_forward(TINY, params, view).logits) for view in views], axis=0)
    np.testing.assert_allclose(shares, expected, rtol=1e-3, atol=1e-5)
    with pytest.raises(InputError, match="crops is 1 or 10, not 5"):
        probabilities(run, source, crops=5)
