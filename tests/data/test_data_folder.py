"""Image folders: what is found, what it is called, and one clear sentence for everything that is wrong."""

import itertools
import shutil

import numpy as np
import pytest
from PIL import Image

from zfjax.data import default_dataset, eval_batches, open_dataset, train_batches
from zfjax.data.sources.folder import open_folder
from zfjax.data.sources.pool import open_pool
from zfjax.errors import InputError
from zfjax.image_files import SUFFIXES
from zfjax.preprocess import Preprocess


@pytest.fixture
def photos(tmp_path):
    """Two classes of 6 + 2 images, the class in the colour."""
    for split, count in (("train", 6), ("val", 2)):
        for label, name in enumerate(("ant", "bee")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20 + i, 16), (100 * label, 10 * i, 0)).save(folder / f"{i}.png")
    return tmp_path


def open_photos(path, **options):
    return open_dataset(f"folder:{path}", canvas_size=8, **options)


def test_reads_labels_pixels_and_names(photos):
    dataset = open_photos(photos)
    assert (len(dataset.train), len(dataset.val), dataset.class_names) == (12, 4, ("ant", "bee"))
    record = dataset.train[7]
    assert record["image"].shape == (8, 8, 3) and (record["image"] == (100, 10, 0)).all()
    assert (record["label"], record["index"]) == (1, 7) and record["label"].dtype == np.int32
    assert dataset.train.describe(7) == str(photos / "train" / "bee" / "1.png")
    assert dataset.origin == f"12 + 4 images in 2 classes from folder {photos}"
    assert open_photos(photos, channels=1).val[0]["image"].shape == (8, 8, 1)


def test_suffixes_in_any_case_and_hidden_files(photos):
    Image.new("RGB", (9, 9)).save(photos / "train" / "ant" / "Z.JPEG")
    (photos / "train" / "ant" / ".hidden.png").write_bytes(b"")
    (photos / "train" / "ant" / "notes.txt").write_text("not an image")
    (photos / "train" / ".cache").mkdir()
    assert len(open_photos(photos).train) == 13


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_of_our_formats_is_listed(photos, suffix):
    (photos / "train" / "ant" / f"Z{suffix.upper()}").write_bytes((photos / "train" / "ant" / "0.png").read_bytes())
    train = open_photos(photos).train
    assert len(train) == 13
    np.testing.assert_array_equal(train[6]["image"], train[0]["image"])


def test_what_is_no_image_by_its_name_is_counted(photos):
    for name in ("ant/a.txt", "ant/b.TXT", "bee/c.txt", "bee/d.psd", "bee/README", "bee/.hidden", "bee/x.\x1b[31m"):
        (photos / "train" / name).touch()
    (photos / "val" / "bee" / "d.txt").touch()
    kinds = "4 .txt, 1 without an ending, 1 '.\\x1b[31m', 1 .psd"
    place = f"12 + 4 images in 2 classes from folder {photos}"
    assert open_photos(photos).origin == f"{place} (passed over: {kinds}, which are no images by name)"
    for number in range(6):
        (photos / "train" / "bee" / f"x.{number}").touch()
    assert ", 1 .1 and 5 more, which" in open_photos(photos).origin
    assert "passed over: 3 .txt" in open_pool(f"folder:{photos / 'train'}", canvas_size=8).origin


@pytest.mark.parametrize("name", ["validation", "valid", "test"])
def test_other_names_of_val(photos, name):
    (photos / "val").rename(photos / name)
    assert len(open_photos(photos).val) == 4


@pytest.mark.parametrize(
    "file, text", [("classes.tsv", "wnid\tname\tn\nant\tlarge ant\t1\n"), ("classes.txt", "ant large ant\n")]
)
def test_readable_class_names(photos, file, text):
    (photos / file).write_text(text)
    assert open_photos(photos).class_names == ("large ant", "bee")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("lines", ["\n", "\r\n"])
def test_class_names_as_spreadsheets_write_them(photos, encoding, lines):
    mark = "\ufeff" if encoding.endswith("be") else ""
    text = f"{mark}ant\tFourmi géante 蟻{lines}bee\tbee{lines}"
    (photos / "classes.tsv").write_bytes(text.encode(encoding))
    assert open_photos(photos).class_names == ("Fourmi géante 蟻", "bee")


BREAK = {
    "does not exist": shutil.rmtree,
    "no train folder": lambda path: shutil.rmtree(path / "train"),
    r"no val folder.*move some images": lambda path: shutil.rmtree(path / "val"),
    r"no class folders": lambda path: [shutil.rmtree(folder) for folder in (path / "train").iterdir()],
    r"only the class folder ant": lambda path: shutil.rmtree(path / "train" / "bee"),
    r"bee has no images": lambda path: [file.unlink() for file in (path / "train" / "bee").iterdir()],
    r"class wasp, which .*train lacks": lambda path: (path / "val" / "wasp").mkdir(),
    r"val has no images": lambda path: [file.unlink() for file in (path / "val").glob("*/*")],
}


@pytest.mark.parametrize("message", BREAK)
def test_what_is_missing_is_named(photos, message):
    BREAK[message](photos)
    with pytest.raises(InputError, match=message) as error:
        open_photos(photos)
    assert str(photos) in str(error.value) and "\n" not in str(error.value)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file"):
        open_photos(tmp_path / "x")


@pytest.mark.parametrize("name", ["", "folder:", "dir:/x", "scene:1"])
def test_unknown_kinds_list_the_three_forms(name):
    with pytest.raises(InputError, match="scenes, folder:PATH, or a TFDS name"):
        open_dataset(name, canvas_size=8)


def test_a_truncated_file_is_named_through_the_threads(photos):
    broken = photos / "train" / "bee" / "3.jpg"
    Image.effect_noise((64, 64), 50).save(broken)
    broken.write_bytes(broken.read_bytes()[:800])
    source = open_photos(photos).train
    with pytest.raises(InputError, match=r"3\.jpg: broken image: .*truncated") as error:
        list(eval_batches(source, batch_size=4))
    assert "\n" not in str(error.value)
    batches = train_batches(source, batch_size=4, image_size=8, crops="whole", seed=0)
    with pytest.raises(InputError, match=r"3\.jpg: broken image"):
        list(itertools.islice(batches, 5))


def test_a_file_that_vanished_is_named(photos):
    source = open_photos(photos).train
    (photos / "train" / "ant" / "0.png").unlink()
    with pytest.raises(InputError, match=r"0\.png: cannot be read"):
        source[0]


def test_small_sets_are_decoded_once(photos):
    source = open_photos(photos).train
    first = source[0]["image"]
    (photos / "train" / "ant" / "0.png").unlink()
    assert source[0]["image"] is first and not first.flags.writeable


def test_default_is_imagenet_only_where_prepared(tmp_path):
    assert default_dataset(tmp_path) == "scenes"
    (tmp_path / "imagenet2012" / "5.1.0").mkdir(parents=True)
    assert default_dataset(tmp_path) == "scenes"
    (tmp_path / "imagenet2012" / "5.1.0" / "dataset_info.json").write_text("{}")
    assert default_dataset(tmp_path) == "imagenet2012"


def test_real_photos(shared_data):
    dataset = open_dataset(f"folder:{shared_data / 'photos'}", canvas_size=64)
    assert dataset.class_names[0] == "tench" and (len(dataset.train), len(dataset.val)) == (5000, 1000)
    batch = next(eval_batches(dataset.val, batch_size=16))
    assert batch["image"].shape == (16, 64, 64, 3) and batch["image"].std() > 20


def test_images_are_resized_as_asked(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(tmp_path / split / name / "0.png")
    files = (tmp_path / "train" / "a" / "0.png").read_bytes()
    for resampling in ("bilinear", "bicubic"):
        source = open_dataset(f"folder:{tmp_path}", canvas_size=16, resampling=resampling).train
        np.testing.assert_array_equal(source[0]["image"], Preprocess(16, 16, resampling=resampling).canvas(files))
    two = [Preprocess(16, 16, resampling=resampling).canvas(files) for resampling in ("bilinear", "bicubic")]
    assert not np.array_equal(*two)


@pytest.mark.parametrize("name", ["train", "val"])
def test_a_part_of_a_data_set_says_which_folder_is_whole(tmp_path, name):
    for part in ("train/ant", "val/ant"):
        (tmp_path / part).mkdir(parents=True)
    with pytest.raises(InputError, match=f"has no train folder, and the one above it has; give folder:{tmp_path}$"):
        open_folder(tmp_path / name, canvas_size=8)
