"""Table 1 and Fig. 8 from end to end; and keypoints that stay on their pixels."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import TINY, canvas_side, middle, random_params, run_of
from PIL import Image
from runs import random_run, run_script

from zfjax.canvas import to_canvas
from zfjax.cli import visualize
from zfjax.data import render
from zfjax.data.keypoints import load_portrait, read_keypoints, scene_portrait, to_network
from zfjax.draw.markdown import aligned
from zfjax.errors import InputError
from zfjax.paper.correspondence import command as gallery
from zfjax.paper.correspondence.measure import Result, summary
from zfjax.paper.correspondence.portraits import choose_portraits
from zfjax.paper.correspondence.table import text_table
from zfjax.paper.view import LeftOut, View

FACE = 13  # a scene of the validation split that is a face, with all its parts in the crop


def test_summaries_by_hand():
    assert summary(np.array([0.5, 0.75, 0.25])) == pytest.approx((0.5, 0.25))


@pytest.mark.parametrize("width, height", [(64, 64), (200, 120), (91, 203), (40, 55)])
def test_a_bright_spot_is_found_where_its_keypoint_says(width, height, tmp_path):
    x, y = width // 2 + 7.5, height // 2 - 4.5
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
    seen = np.asarray(to_canvas(pixels, 73))[4:68, 4:68, 0].astype(float)  # the centre 64 of a canvas of 73
    rows, columns = np.indices(seen.shape) + 0.5
    found = [(seen * place).sum() / seen.sum() for place in (columns, rows)]
    assert to_network((x, y), width, height, canvas_size=73, image_size=64) == pytest.approx(found, abs=0.7)


def test_faces_of_scenes_keep_their_keypoints():
    portrait = scene_portrait(FACE, "val", canvas_size=73, image_size=64)
    scene = render(FACE, size=73, split="val")
    assert portrait.parts["nose"] == pytest.approx(np.subtract(scene.keypoints["nose"], 4))
    assert scene_portrait(FACE + 1, "val", canvas_size=73, image_size=64) is None


def keypoint_file(folder, count=4, extra=None, **changes):
    """Images of noise with a nose and an eye; a file of keypoints in the form of a list."""
    rng, records = np.random.default_rng(0), []
    for n in range(count):
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(folder / f"{n}.png")
        record = {"file": f"{n}.png", "nose": [40 + n, 30], "eye": [30.5, 20], "original_nose": [1, 2], "scale": 1.5}
        records.append({**record, **(changes if n == 1 else {})})
    path = folder / "keypoints.json"
    path.write_text(json.dumps(records))
    return path


def test_files_of_keypoints(tmp_path):
    records = read_keypoints(keypoint_file(tmp_path, recommended=False))
    assert [each.recommended for each in records] == [True, False, True, True]
    assert records[0].parts == {"nose": (40, 30), "eye": (30.5, 20)} and records[0].path == tmp_path / "0.png"
    table = tmp_path / "table.json"
    table.write_text('{"0.png": {"nose": [40, 30], "eye": [30.5, 20], "note": "x"}}')
    assert read_keypoints(table) == records[:1]
    portrait = load_portrait(records[0], ("nose",), canvas_size=60, image_size=50, channels=3)
    assert portrait.parts == {"nose": (40 - 10 - 5, 30 - 5)} and portrait.canvas.shape == (60, 60, 3)


@pytest.mark.parametrize("orientation, expected", [(1, (30, 20)), (6, (40, 30))])
def test_turned_photographs(orientation, expected, tmp_path):
    """Keypoints are places of the upright image: 80 x 60 as stored, 60 x 80 after a quarter turn."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (80, 60)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "k.json").write_text('[{"file": "a.jpg", "nose": [40, 40]}]')
    portrait = load_portrait(
        read_keypoints(tmp_path / "k.json")[0], ("nose",), canvas_size=60, image_size=60, channels=3
    )
    assert portrait.parts["nose"] == {(30, 20): (30, 40), (40, 30): (40, 30)}[expected]


@pytest.mark.parametrize(
    "text, message",
    [
        ("[", "cannot read keypoints"),
        ("[]", "should be a list"),
        ("[3]", "should be a list"),
        ('[{"file": "a.png"}]', "needs a file and a part"),
        ('[{"nose": [1, 2]}]', "needs a file and a part"),
        ('[{"file": "a.png", "nose": [1, true]}]', "needs a file and a part"),
    ],
)
def test_files_that_are_no_keypoints(text, message, tmp_path):
    (tmp_path / "k.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_keypoints(tmp_path / "k.json")
    with pytest.raises(InputError, match="No such file"):
        read_keypoints(tmp_path / "nowhere.json")


def view(tmp_path, **changes) -> View:
    side = canvas_side(TINY)
    params = jax.tree.map(jnp.asarray, random_params(TINY))
    run = run_of(
        TINY, params, np.full((side, side, 3), 120, np.float32), ("a",) * 5, {"dataset": "scenes", "data_dir": None}, 7
    )
    return View(ckpt="runs/demo", run=run, out=tmp_path, progress=False, **changes)


def test_which_images_and_parts(tmp_path):
    found, origin = choose_portraits(view(tmp_path), gallery.Options(parts="nose,left_eye"))
    assert len(found) == 5 and list(found[0].parts) == ["nose", "left_eye"] and origin == "5 faces of scenes, val split"
    found, _ = choose_portraits(view(tmp_path, limit=60), gallery.Options(count=None))
    assert 2 <= len(found) <= 6 and len({each.name for each in found}) == len(found)
    path = keypoint_file(tmp_path, recommended=False)
    found, origin = choose_portraits(view(tmp_path), gallery.Options(keypoints=str(path)))
    assert [each.name for each in found] == ["0.png", "2.png", "3.png"]
    assert origin == "3 of 3 recommended images of keypoints.json"
    assert len(choose_portraits(view(tmp_path), gallery.Options(keypoints=str(path), unrecommended=True))[0]) == 4


@pytest.mark.parametrize(
    "options, changes, message",
    [
        ({"count": 1}, {}, "needs two images"),
        ({"parts": "tail"}, {}, "not every image has 'tail'; all have left_eye"),
        ({}, {"images": "7"}, "val 7 of scenes is no face"),
        ({}, {"images": f"{FACE}"}, "needs two images with keypoints; found 1"),
        ({"size": 0}, {}, "size must be at least 1, not 0"),
        ({"draws": 0}, {}, "draws must be at least 1"),
    ],
)
def test_wrong_options(options, changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        gallery.draw(view(tmp_path, **changes), gallery.Options(**options))


def test_a_part_outside_the_crop_is_named_with_its_file(tmp_path):
    path = keypoint_file(tmp_path, eye=[3, 20])
    with pytest.raises(InputError, match=r"1\.png: eye at \(3, 20\) of 80x60 pixels is outside the centre crop"):
        choose_portraits(view(tmp_path), gallery.Options(keypoints=str(path)))


def test_other_data_sets_are_left_out(tmp_path):
    with pytest.raises(LeftOut, match="folder:x has images without keypoints"):
        gallery.draw(view(tmp_path, dataset_name="folder:x"), gallery.Options())


def test_the_table_and_the_picture(tmp_path, capsys):
    options = gallery.Options(draws=4, examples=2, count=3)
    paths, result = gallery.draw(view(tmp_path), options)
    assert [path.name for path in paths] == ["correspondence.png", "correspondence.md"] and all(
        map(lambda p: p.exists(), paths)
    )
    assert result.layers == ["conv3", "fc4"] and result.size == 8 and len(result.images) == 3
    assert result.shares["fc4"].shape == (4 + 2 * 4, 3)
    for layer in result.layers:
        shares = result.shares[layer]
        assert result.parts["nose"][layer] == pytest.approx((shares[2].mean(), shares[2].std(ddof=1)))
        assert result.controls["random"][layer].mean == pytest.approx(shares[4:8].mean())
        assert result.controls["random, same place"][layer].mean == pytest.approx(shares[8:].mean())
        assert result.lower["nose"][layer] == (shares[4:8].mean(axis=1) < shares[2].mean()).mean()
    said = capsys.readouterr().out
    table = text_table(result)
    lines = aligned(table.columns, table.rows).splitlines()
    assert "\n".join(lines) in said and "\n".join(lines) in paths[1].read_text()
    assert result.pictures.shape == (3, 1 + 4 + 2, 40, 40, 3)
    assert len({len(line) for line in lines}) == 1 and "paper" not in lines[0]  # conv3 and fc4 are not the paper's
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "left eye", "right eye", "nose", "mouth", "random", "random, same place",
    ]  # fmt: skip


def test_the_papers_numbers_stand_in_columns_of_their_own():
    mine = {layer: summary(np.array([0.25, 0.75])) for layer in ("fc7", "pool5")}
    parts, controls = (
        {"nose": mine, "left_eye_viewer": mine, "mouth": mine},
        {"random": mine, "random, same place": mine},
    )
    lower = {name: {"fc7": 0.5, "pool5": 0.0} for name in parts}
    pictures = np.zeros((2, 1, 4, 4, 3))
    table = text_table(Result(["fc7", "pool5"], parts, controls, lower, {}, ["a", "b"], 3, 10, pictures))
    assert table.columns[-2:] == ("paper, layer 7", "paper, layer 5") and "five dogs" in table.note[-1]
    nose, eye, mouth, random, same = table.rows
    assert nose == ("nose", "0.500 ± 0.354", "0.500 ± 0.354", "5 of 10", "0 of 10", "0.069 ± 0.011", "0.079 ± 0.017")
    assert eye[-2:] == ("0.068 ± 0.013", "0.069 ± 0.007") and mouth[-2:] == ("", "")
    assert random[-1] == "0.107 ± 0.017" and same[-2:] == ("", "")


def test_the_canvas_of_a_portrait_is_what_the_data_set_shows(tmp_path):
    """The same preprocessing as for training: a record of the data set is the portrait of that number."""
    looked = view(tmp_path)
    portrait = scene_portrait(FACE, "val", canvas_size=canvas_side(TINY), image_size=40)
    np.testing.assert_array_equal(looked.source[FACE]["image"], portrait.canvas)
    crop = middle(portrait.canvas[None], looked.run.mean, 40)
    assert crop.shape == (1, 40, 40, 3)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return random_run(tmp_path_factory.mktemp("correspondence") / "tiny")


def test_from_end_to_end(run_folder, tmp_path, monkeypatch, capsys):
    flags = [f"--ckpt={run_folder}", f"--out={tmp_path / 'out'}", "--figure=correspondence", "--layers=pool2"]
    more = [f"--correspondence.keypoints={keypoint_file(tmp_path)}", "--correspondence.draws=2", "--format=svg"]
    run_script(visualize, [*flags, *more], monkeypatch)
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == [str(tmp_path / "out" / f"correspondence.{kind}") for kind in ("svg", "md")]
    assert said[0].split() == "| covered | pool2 | random below, pool2 |".split()
    picture = (tmp_path / "out" / "correspondence.svg").read_text()
    for text in ("4 images with one part", ">nose<", ">random places<", "8×8 of 40×40 pixels", "4 of 4 recommended"):
        assert text in picture


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--correspondence.keypoints=/nowhere.json", "/nowhere.json"),
        ("--layers=conv9", "unknown layer 'conv9'"),
        ("--correspondence.count=1", "needs two images"),
    ],
)
def test_wrong_flags(flag, message, run_folder, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run_script(
            visualize, [f"--ckpt={run_folder}", "--figure=correspondence", f"--out={tmp_path}", flag], monkeypatch
        )
    said = capsys.readouterr().err.strip()
    assert stop.value.code == 2 and said.startswith("error: ") and "\n" not in said and message in said
