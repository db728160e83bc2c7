"""train.py --watch: the training comes out the same to the bit, and what it shows is what there is to show."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from nets import canvas_side, random_params, run_of
from PIL import Image
from runs import run_script
from tensorboardX.proto import event_pb2

import zfjax
from zfjax.cli import train as command
from zfjax.data import Dataset
from zfjax.layers import Conv, Dense
from zfjax.paper.watch import measure
from zfjax.paper.watch.command import Watcher
from zfjax.recipe import Recipe
from zfjax.runs.folder import read_metrics
from zfjax.train.loop import train
from zfjax.train.settings import described

RECIPE = Recipe(batch_size=4, epochs=2, init="he", learning_rate=1e-3, schedule="constant")
LAYERS = (Conv("conv1", 4, kernel=3, strides=2), Conv("conv/2", 4, kernel=3), Dense("fc3", relu=False))
ARCH = zfjax.Arch(LAYERS, image_size=14, num_classes=2, recipe=RECIPE)
MEAN = np.full((canvas_side(ARCH), canvas_side(ARCH), 3), 120, np.float32)
TIMES = ("images_per_sec", "data_wait", "peak_share")


class Noise:
    """As many images of noise."""

    class_names = ("a", "b")

    def __init__(self, count: int = 8):
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        image = np.random.default_rng(index).integers(0, 256, MEAN.shape, dtype=np.uint8)
        return {"image": image, "label": np.int32(index % 2), "index": np.int32(index)}

    def describe(self, index: int) -> str:
        return f"image {index}"


def trained(workdir: Path, after_epoch=None, epochs: int = 2) -> Path:
    arch = dataclasses.replace(ARCH, recipe=dataclasses.replace(RECIPE, epochs=epochs))
    data = Dataset("noise", Noise(), Noise(), Noise.class_names, "noise")
    config = {"dataset": "scenes", "data_dir": None, **described(arch)}
    train(arch, data, workdir, config=config, may_differ=("versions", "arch.recipe.epochs"), after_epoch=after_epoch)
    return workdir


def watched(workdir: Path, epochs: int = 2) -> Path:
    return trained(workdir, Watcher(Noise(), workdir, ["conv/2"]), epochs)


def pictures(workdir: Path) -> dict[str, bytes]:
    folder = workdir / "figures" / "watch"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def shown(workdir: Path) -> dict[tuple[int, str], bytes]:
    """{(step, tag): PNG} of TensorBoard's events."""
    found = {}
    for path in sorted(workdir.glob("events*")):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            event, data = event_pb2.Event.FromString(data[12 : 12 + size]), data[16 + size :]
            found |= {
                (event.step, value.tag): value.image.encoded_image_string
                for value in event.summary.value
                if value.HasField("image")
            }
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return trained(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory) -> Path:
    return watched(tmp_path_factory.mktemp("watched") / "run")


def assert_same_training(run: Path, other: Path) -> None:
    ours, theirs = (jax.tree.leaves(zfjax.load_run(path).params) for path in (run, other))
    assert [np.asarray(leaf).tobytes() for leaf in ours] == [np.asarray(leaf).tobytes() for leaf in theirs]
    ours, theirs = (
        [{key: value for key, value in record.items() if key not in TIMES} for record in read_metrics(path)]
        for path in (run, other)
    )
    assert ours == theirs


def test_a_training_that_is_watched_ends_with_the_same_bits(plain, looked_at):
    assert_same_training(looked_at, plain)
    assert not (plain / "figures").exists() and not shown(plain)


def test_every_epoch_has_its_pictures_in_the_run_and_in_tensorboard(looked_at):
    files = pictures(looked_at)
    layer = next(Path(name).name for name in files if "filters" not in name)
    assert [*files] == [f"epoch-{n:03d}/{name}" for n in (1, 2) for name in sorted((layer, "filters.png"))]
    assert len(set(files.values())) == 4, "each picture is of its epoch"
    tags = {"filters.png": "watch/filters", layer: "watch/conv/2"}
    assert shown(looked_at) == {(2 * int(name[6:9]), tags[Path(name).name]): data for name, data in files.items()}


def test_one_that_goes_on_draws_what_was_left(tmp_path, plain, looked_at):
    watched(tmp_path / "run", epochs=1)
    assert len(pictures(tmp_path / "run")) == 2
    watched(tmp_path / "run")
    assert_same_training(tmp_path / "run", plain)
    before, after = pictures(looked_at), pictures(tmp_path / "run")
    assert before.keys() == after.keys() and before == after
    assert shown(tmp_path / "run") == shown(looked_at)


def test_what_is_looked_at():
    """As one call finds it from the same canvases, which fit as they are."""
    run, source = run_of(ARCH, random_params(ARCH), MEAN, ("a", "b")), Noise(150)
    numbers = measure.watched_images(source)
    assert (len(numbers), numbers[0], numbers[-1]) == (64, 0, 149) and len({*np.diff(numbers)} - {2, 3}) == 0
    [(layer, found)] = measure.look(run, source, ["conv/2"]).items()
    assert [each.index for each in found] == [0, 1, 2, 3] == measure.watched_maps(ARCH, layer)
    canvases = [source[number]["image"] for number in numbers]
    expected = zfjax.top_patches(run, canvases, layer, range(4), measure.TOP)
    responding = [each for each in found if len(each.activations)]
    for one, other in zip(responding, expected.feature_maps(), strict=True):
        np.testing.assert_allclose(one.activations, other.activations, rtol=1e-6)
        np.testing.assert_array_equal(one.patches, other.patches)
    assert measure.watched_maps(zfjax.get_arch("zf"), "conv5") == measure.watched_maps(zfjax.get_arch("zf"), "conv5")
    assert len({*measure.watched_maps(zfjax.get_arch("zf"), "conv5")}) == 8


def test_a_layer_that_is_silent_is_said(tmp_path, capsys):
    params = random_params(ARCH)
    params["conv/2"] = {"kernel": 0 * params["conv/2"]["kernel"], "bias": -1 + 0 * params["conv/2"]["bias"]}
    run = run_of(ARCH, params, MEAN, ("a", "b"))
    drawn = Watcher(Noise(), tmp_path / "run", ["conv1", "conv/2"])(7, run)
    assert [*drawn] == ["watch/filters", "watch/conv1"]
    said = capsys.readouterr().out
    assert "run after epoch 7: none of the 4 maps of conv/2 that are watched responds to any of 8" in said
    with Image.open(tmp_path / "run" / "figures" / "watch" / "epoch-007" / "conv1.png") as picture:
        assert picture.width > 500


def test_what_cannot_be_drawn_ends_the_drawing_and_not_the_training(tmp_path, plain):
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run" / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(UserWarning, match="--watch draws no more pictures: .*figures is a link") as said:
        watched(tmp_path / "run")
    assert len(said) == 1 and not [*(tmp_path / "elsewhere").iterdir()]
    assert_same_training(tmp_path / "run", plain)


def test_a_device_without_memory_ends_the_drawing_too(tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nand all its buffers")

    monkeypatch.setattr(measure, "look", full)
    watcher = Watcher(Noise(), tmp_path, ["conv1"])
    with pytest.warns(UserWarning, match="no more pictures: RESOURCE_EXHAUSTED: Out of memory$"):
        assert watcher(1, run_of(ARCH, random_params(ARCH), MEAN, ("a", "b"))) == {}
    assert watcher(2, run_of(ARCH, random_params(ARCH), MEAN, ("a", "b"))) == {}
    assert not (tmp_path / "figures" / "watch" / "epoch-002").exists()


def test_process_0_alone_looks(tmp_path, monkeypatch):
    monkeypatch.setattr("zfjax.train.training.leads", lambda: False)
    trained(tmp_path / "run", lambda *_: pytest.fail("only the process that leads draws"), epochs=1)


def test_a_wrong_layer_is_refused_before_anything_begins(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(command, ["--arch=zf-mini", "--watch=conv1,conv9", f"--workdir={tmp_path / 'run'}"], monkeypatch)
    said = capsys.readouterr()
    assert stop.value.code == 2 and said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith("error: --watch: unknown layer 'conv9'; zf-mini has conv1, ")
    assert not (tmp_path / "run").exists()


def test_the_flag_makes_the_watcher(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr("zfjax.train.loop.train", lambda **options: given.update(options))
    for watch in ("", "conv1,conv[45]"):
        flags = ["--arch=zf-mini", "--dataset=scenes", f"--workdir={tmp_path / 'run'}", f"--watch={watch}"]
        run_script(command, flags, monkeypatch)
        looks = given["after_epoch"]
        assert (looks is None) == (not watch)
        assert "watch" not in given["config"]
    assert looks._layers == ["conv1", "conv4", "conv5"] and looks._source is given["dataset"].val
