"""Ten kills -9, most of them while a checkpoint is written or deleted, and the same bits at the end."""

import pytest

from benchmarks.faults import REFUSED, Bench, survive


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")  # programs are kept as a user's are
    trainings, moments = survive(Bench(tmp_path, epochs=12), kills=10)
    assert trainings and moments.total() - moments[REFUSED] == 10
