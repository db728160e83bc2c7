"""Looking at the data starts no machine learning: each import in a fresh interpreter."""

import pytest
from runs import finish, start

HEAVY = ("jax", "grain", "tensorflow_datasets", "tensorflow")


@pytest.mark.parametrize(
    "use", ["import zfjax.data", "from zfjax.data import open_dataset; open_dataset('scenes', canvas_size=8).train[0]"]
)
def test_images_need_neither_jax_nor_grain(use):
    program = f"{use}\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = finish(start("-c", program))
    assert done.said.strip() == "[]", done.errors
