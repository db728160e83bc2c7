"""Tensors come out of every kind of file as they went in, in order; nothing else does."""

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from torch_files import Call, Global, old_forms, state_dict, write_legacy, write_zip

from zfjax.errors import InputError
from zfjax.weights.reader import read_tensors

RNG = np.random.default_rng(0)
ARRAYS = {
    "features.0.weight": RNG.normal(size=(4, 3, 2, 2)).astype(np.float32),
    "features.0.bias": RNG.normal(size=4).astype(np.float32),
    "classifier.1.weight": RNG.normal(size=(5, 4)).astype(np.float32).T,  # a view with strides of its own
}
COUNTER = {"features.1.num_batches_tracked": np.array(7, np.int64)}
PREFIXED = {f"module.{name}": array for name, array in ARRAYS.items()}
# What a training saves beside its weights: an optimizer with tensors of its own, the flags, a number of NumPy.
BESIDE = {
    "epoch": 3,
    "best": Call(Global("numpy.core.multiarray scalar"), (Call(Global("numpy dtype"), ("f8", False, True)), "x")),
    "args": Call(Global("argparse Namespace"), (), {"lr": 0.1, "name": "run"}),
    "optimizer": {"state": {0: {"step": 1.5}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99), "nesterov": False}]},
}


def assert_same(found, arrays, dtype=np.float32):
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == np.float32 and found[name].flags.c_contiguous
        np.testing.assert_array_equal(found[name], array.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, np.float64])
def test_state_dicts_of_every_type(tmp_path, write, dtype):
    arrays = {name: array.astype(dtype) for name, array in ARRAYS.items()}
    options = {"itemsize": np.dtype(dtype).itemsize} if write is write_legacy else {}
    write(tmp_path / "w", *state_dict(arrays), **options)
    assert_same(read_tensors(tmp_path / "w"), ARRAYS, dtype)


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_forms_that_earlier_versions_wrote(tmp_path, write):
    write(tmp_path / "w", *old_forms(ARRAYS, *([None] if write is write_legacy else [])))
    assert_same(read_tensors(tmp_path / "w"), ARRAYS)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_weights_are_found_in_a_checkpoint(tmp_path, key):
    tree, storages = state_dict({**PREFIXED, **COUNTER})
    write_zip(tmp_path / "w", {"epoch": 3, key: tree, **BESIDE}, storages)
    found = read_tensors(tmp_path / "w")
    assert_same({name.removeprefix("module."): array for name, array in found.items()}, ARRAYS)


def test_names_lose_the_prefix_that_all_have(tmp_path):
    write_zip(tmp_path / "w", *state_dict(PREFIXED))
    assert_same(read_tensors(tmp_path / "w"), ARRAYS)
    write_zip(tmp_path / "w", *state_dict({**PREFIXED, "fc.weight": ARRAYS["features.0.bias"]}))
    assert list(read_tensors(tmp_path / "w")) == [*PREFIXED, "fc.weight"]


def test_safetensors_as_its_own_package_writes_them(tmp_path):
    arrays = {name: np.ascontiguousarray(array) for name, array in ARRAYS.items()}
    for dtype in (np.float32, np.float16, ml_dtypes.bfloat16):
        kept = {name: array.astype(dtype) for name, array in arrays.items()}
        safetensors.numpy.save_file({**kept, **COUNTER}, tmp_path / "w", metadata={"format": "pt"})
        found = read_tensors(tmp_path / "w")
        assert_same({name: found[name] for name in ARRAYS}, ARRAYS, dtype)
        assert set(found) == set(ARRAYS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    halves = {name: array.astype(ml_dtypes.bfloat16) for name, array in ARRAYS.items()}
    for arrays, dtype in ((ARRAYS, np.float32), (halves, ml_dtypes.bfloat16)):
        save(tmp_path / "w.npz", **arrays, classes=np.array(["cat", "dog"]), step=np.array(4))
        assert_same(read_tensors(tmp_path / "w.npz"), ARRAYS, dtype)


def test_real_weights_of_squeezenet(shared_data):
    found = read_tensors(shared_data / "weights" / "squeezenet_v1.0_deepcompression.npz")
    assert sum(array.size for array in found.values()) == 1_248_424 and next(iter(found)) == "conv1/w"


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_named(tmp_path, value):
    write_zip(tmp_path / "w", *state_dict({**ARRAYS, "fc.bias": np.array([0.0, value])}))
    with pytest.raises(InputError, match=r"w: fc.bias has numbers that are not finite"):
        read_tensors(tmp_path / "w")
