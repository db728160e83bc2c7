"""Ten kills -9, most of them while a checkpoint is written or deleted, and the same bits at the end."""

import pytest

from benchmarks.faults import survive


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path):
    trainings, moments = survive(tmp_path, kills=10, epochs=12)
    assert trainings and sum(moments.values()) == 10
