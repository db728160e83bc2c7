"""What a run says of its data may be a stranger's: nothing of it is run, and its folders are not opened unsaid."""

import importlib
import json
import shutil
import sys

import numpy as np
import pytest
from nets import TINY, canvas_side, run_of
from PIL import Image
from runs import make_run, run_script
from test_data_tfds import Blots
from tfrecords import prepare

import evaluate
from zfjax.data import open_dataset, open_for, recorded
from zfjax.errors import InputError

FEATURES = "tensorflow_datasets.core.features"


def outermost(features, name):
    features["pythonClassName"] = name


def of_one_feature(features, name):
    features["featuresDict"]["features"]["label"]["pythonClassName"] = name


def in_the_other_spelling(features, name):
    label = features["featuresDict"]["features"]["label"]
    label["python_class_name"] = label.pop("pythonClassName") and name


def in_a_sequence(features, name):
    inner = {"pythonClassName": name, "tensor": {"shape": {}, "dtype": "int64", "encoding": "none"}}
    outer = {"pythonClassName": f"{FEATURES}.sequence_feature.Sequence"}
    features["featuresDict"]["features"]["more"] = {**outer, "sequence": {"feature": inner, "length": "-1"}}


def in_the_earlier_format(features, name):
    features.clear()
    inner = {"image": {"type": name, "content": {}}}
    features.update({"type": f"{FEATURES}.features_dict.FeaturesDict", "content": inner})


def in_a_string(features, name):
    text = {"json": json.dumps({"a": {"type": name, "content": {}}})}
    inner = {"pythonClassName": f"{FEATURES}.features_dict.FeaturesDict", "jsonFeature": text}
    features["featuresDict"]["features"]["more"] = inner


@pytest.fixture(scope="module")
def blots(tmp_path_factory):
    return prepare(Blots, tmp_path_factory.mktemp("tfds"))


def build_of_a_stranger(blots, root, change):
    """A build whose features name a class of a module that lies beside it and can be imported."""
    build = shutil.copytree(blots, root / "evil_set" / "1.0.0")
    for path in build.glob("blots-*"):
        path.rename(build / path.name.replace("blots", "evil_set"))
    info, features = build / "dataset_info.json", build / "features.json"
    info.write_text(info.read_text().replace('"blots"', '"evil_set"'))
    named = json.loads(features.read_text())
    change(named, "evil_module.Feature")
    features.write_text(json.dumps(named))
    (root / "evil_module.py").write_text(f"open({str(root / 'it ran')!r}, 'w')")


@pytest.mark.parametrize("name", ["evil_set", "EvilSet"])
@pytest.mark.parametrize(
    "change", [outermost, of_one_feature, in_the_other_spelling, in_a_sequence, in_the_earlier_format, in_a_string]
)
def test_a_build_cannot_have_modules_imported(blots, tmp_path, monkeypatch, change, name):
    build_of_a_stranger(blots, tmp_path, change)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(InputError, match=f"cannot open '{name}': its features.json names 'evil_module.Feature'"):
        open_dataset(name, canvas_size=7, data_dir=tmp_path)
    assert not (tmp_path / "it ran").exists() and "evil_module" not in sys.modules


def run_on(**config):
    side = canvas_side(TINY)
    return run_of(TINY, {}, np.zeros((side, side, 3), np.float32), ("ink", "oil"), config)


def folder(root):
    for path in ("train/ink", "train/oil", "val/ink", "val/oil"):
        (root / path).mkdir(parents=True)
        Image.new("RGB", (50, 50)).save(root / path / "0.png")
    return root


def test_builds_in_a_folder_that_only_the_run_names_are_not_opened(blots):
    root = str(blots.parents[1])
    for given in ({"dataset": "blots"}, {"dataset": "scenes"}):
        with pytest.raises(InputError, match=f"the run records that blots is in '{root}'.*give --data_dir='{root}'"):
            open_for(run_on(**given, data_dir=root), None if given["dataset"] == "blots" else "blots")
    assert len(open_for(run_on(dataset="blots", data_dir=root), data_dir=root).train) == 10
    assert open_for(run_on(dataset="blots", data_dir=root), "scenes").name == "scenes"


def test_one_answer_for_commands(blots, tmp_path, monkeypatch, capsys):
    run = make_run(tmp_path / "run", dataset="blots", data_dir=str(blots.parents[1]))
    with pytest.raises(SystemExit) as caught:
        run_script(evaluate, [f"--ckpt={run}"], monkeypatch)
    assert caught.value.code == 2
    assert "error: the run records that blots is in " in capsys.readouterr().err


def test_folders_of_a_run_are_said_aloud_once(tmp_path, capsys):
    recorded._say_once.cache_clear()
    images = folder(tmp_path / "photos")
    run = run_on(dataset=f"folder:{images}", data_dir=None)
    for _ in range(2):
        assert len(open_for(run).train) == 2
    assert capsys.readouterr().err == (
        f"reading the data set that the run records, 'folder:{images}' (--dataset takes another)\n"
    )
    recorded._say_once.cache_clear()
    open_for(run, f"folder:{images}")
    open_for(run_on(dataset="scenes", data_dir=None))
    assert capsys.readouterr().err == ""


def test_class_folders_of_imagenet_hold_images_alone_and_are_said_aloud(tmp_path, capsys):
    for path in ("train/n01440764", "val/n01440764"):
        (tmp_path / path).mkdir(parents=True)
        Image.new("RGB", (50, 50)).save(tmp_path / path / "0.JPEG")
    recorded._say_once.cache_clear()
    assert len(open_for(run_on(dataset="imagenet2012", data_dir=str(tmp_path))).val) == 1
    assert f"reading imagenet2012 in the folder that the run records, '{tmp_path}'" in capsys.readouterr().err


@pytest.mark.parametrize("config", [{}, {"dataset": None}, {"dataset": 5}, {"dataset": ""}, {"dataset": ["scenes"]}])
def test_a_run_without_a_data_set_says_so(config):
    with pytest.raises(InputError, match="the run records no data set; say which one with --dataset"):
        open_for(run_on(**config))
    with pytest.raises(InputError, match="the run of zf records no data set"):
        open_for(run_on(**config, arch={"name": "zf"}))
    assert open_for(run_on(**config), "scenes").name == "scenes"


@pytest.mark.parametrize("place", [5, "", ["/"], {}])
def test_a_data_dir_that_is_no_folder(place):
    with pytest.raises(InputError, match="as its --data_dir, which is no folder"):
        open_for(run_on(dataset="blots", data_dir=place))
