"""Ten kills -9, most of them while a checkpoint is written or deleted, and the same bits at the end."""

import pytest

from benchmarks.faults import REFUSED, Bench, survive

# Every start traces it anew: crops and dropout of each step, Adam's moments, and no more layers than it takes.
NETWORK = ("--arch=sign-mlp", "--image_size=32", "--width=0.25", "--crops=ten")


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")  # programs are kept as a user's are
    trainings, moments = survive(Bench(tmp_path, epochs=12, network=NETWORK), kills=10)
    assert trainings and moments.total() - moments[REFUSED] == 10
