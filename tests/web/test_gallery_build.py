"""python visualize.py --figure=gallery, from a run to a folder."""

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from PIL import Image
from runs import SCENES, make_run, random_run, run_script

from zfjax.cli import visualize
from zfjax.data import open_for
from zfjax.data.scenes.scenes import CLASS_NAMES
from zfjax.draw.tiles import rgb8, show_patch, to_display
from zfjax.paper.top_activations import project_winners, strongest_activations
from zfjax.preprocess import Preprocess
from zfjax.runs.run import load_run
from zfjax.web.gallery import build as building
from zfjax.web.gallery.cells import GUTTER
from zfjax.web.gallery.command import shown_command
from zfjax.web.gallery.folder import faults
from zfjax.web.gallery.shown import Shown, page_files
from zfjax.web.gallery.sources import draw_sources
from zfjax.web.live.gallery import slug_in

LIMIT, TOP = 12, 4
FLAGS = ["--figure=gallery", f"--limit={LIMIT}", f"--top={TOP}", "--batch_size=4", "--gallery.occlusion=False"]


def draw(monkeypatch, *flags):
    run_script(visualize, [*FLAGS, *flags], monkeypatch)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return random_run(tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture(scope="module")
def gallery(run, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        draw(patch, f"--ckpt={run}", f"--out={out}")
    return out / "gallery"


def data(gallery: Path, name: str) -> dict:
    """What a script hands the page."""
    text = (gallery / "data" / f"{name}.js").read_text()
    return json.loads(json.loads(text[text.index("JSON.parse(") + len("JSON.parse(") : -len("));\n")]))


def files(gallery: Path) -> dict[str, bytes]:
    return {str(path.relative_to(gallery)): path.read_bytes() for path in gallery.rglob("*") if path.is_file()}


def cells(path: Path, cell: list[int], rows: int) -> np.ndarray:
    """A strip's cells, [rows, columns, h, w, 3]."""
    picture = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))
    height, width = (side + 2 * GUTTER for side in cell)
    found = picture.reshape(rows, height, -1, width, 3).swapaxes(1, 2)
    return found[:, :, GUTTER:-GUTTER, GUTTER:-GUTTER]


def decibels(found: np.ndarray, wanted: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(np.mean((found.astype(float) - wanted) ** 2), 1e-9))


def test_its_numbers_and_pictures_are_those_of_the_figures(run, gallery):
    opened = load_run(run)
    source = open_for(opened, None).val
    names = ["conv1", "conv2", "conv3"]
    winners = strongest_activations(opened, source, names, top=TOP, indices=range(LIMIT), batch_size=4)
    chosen = {layer: range(opened.arch.row(layer).shape[2]) for layer in names}
    features = project_winners(opened, source, winners, chosen)
    exact = []
    for layer in names:
        shown = data(gallery, f"one/{layer}")
        assert shown["units"] == len(chosen[layer]) and len(shown["lower"]) == 3
        pictures = shown["pictures"]
        exact.append(pictures["enlarged"])
        for unit, feature in enumerate(features[layer]):
            top = np.array(shown["top"][unit]).reshape(-1, 4)
            alive = len(feature.activations)
            np.testing.assert_array_equal(top[:, 0], winners[layer].image[unit][:alive])
            np.testing.assert_array_equal(top[:, 1], winners[layer].row[unit][:alive])
            np.testing.assert_array_equal(top[:, 2], winners[layer].col[unit][:alive])
            np.testing.assert_allclose(top[:, 3], feature.activations, rtol=1e-5)
            path = gallery / pictures["dir"] / f"u{unit:04d}.{pictures['ext']}"
            if not alive:
                assert not path.exists()
                continue
            patches, projections = cells(path, pictures["cell"], 2)
            for found, wanted in (
                (projections, to_display(feature.projections, patches=feature.patches)),
                (patches, show_patch(feature.patches)),
            ):
                assert found.shape == rgb8(wanted).shape
                if exact[-1]:
                    assert (found == rgb8(wanted)).all()
                else:  # noise of an untrained network; a trained one's projections come out at 28 and more
                    assert decibels(found, rgb8(wanted)) > 20
    assert exact[0] and not exact[-1]


def test_covers_and_thumbnails_are_of_the_units_and_images_that_they_are_said_to_be(run, gallery):
    shown = data(gallery, "one/conv3")
    covers, pictures = shown["covers"], shown["pictures"]
    sheet = np.asarray(Image.open(gallery / pictures["dir"] / covers["projection"][0]).convert("RGB"))
    height, width = (side + 2 * GUTTER for side in covers["cell"])
    unit = max(unit for unit, top in enumerate(shown["top"]) if top)
    top, left = unit // covers["columns"] * height + GUTTER, unit % covers["columns"] * width + GUTTER
    cover = sheet[top:, left:][: covers["cell"][0], : covers["cell"][1]]
    strip = cells(gallery / pictures["dir"] / f"u{unit:04d}.{pictures['ext']}", pictures["cell"], 2)
    assert decibels(cover, strip[1, 0]) > 26
    sources = data(gallery, "gallery")["sources"]
    source = open_for(load_run(run), None).val
    for number, (place, name, label) in sources["images"].items():
        assert label == source[int(number)]["label"] and name == source.describe(int(number))
        if place < 0:  # an image of lower rows alone
            continue
        picture = np.asarray(Image.open(gallery / sources["sheets"]["one"][0]).convert("RGB"))
        side = sources["cell"] + 2 * sources["gutter"]
        row, column = divmod(place, sources["columns"])
        thumbnail = picture[row * side :, column * side :][GUTTER : GUTTER + 64, GUTTER : GUTTER + 64]
        seen = load_run(run).preprocess.visible(source[int(number)]["image"])
        wanted = Image.fromarray(seen).resize((64, 64), Image.Resampling.LANCZOS)
        assert decibels(thumbnail, np.asarray(wanted)) > 26


def test_the_manifest_lists_every_file_and_no_name_of_a_folder_of_this_machine_is_inside(gallery, run):
    manifest = json.loads((gallery / "manifest.json").read_text())
    found = files(gallery)
    del found["manifest.json"]
    assert {name: size for name, (size, _) in manifest["files"].items()} == {n: len(d) for n, d in found.items()}
    assert not any(str(run.parent).encode() in content for content in found.values())


def test_a_build_that_was_stopped_anywhere_goes_on_to_the_same_bytes(run, gallery, tmp_path, monkeypatch, capsys):
    for stop in ("data/one/conv1.js", "img/one/conv2/u0003", "data/gallery.js", "index.html"):
        out = tmp_path / stop.replace("/", "-")
        write = building.Building.write

        def stopped(self, name, content, stop=stop, write=write):
            if name.startswith(stop):
                raise KeyboardInterrupt
            write(self, name, content)

        with monkeypatch.context() as patch:
            patch.setattr(building.Building, "write", stopped)
            with pytest.raises(BaseException):  # noqa: B017
                draw(monkeypatch, f"--ckpt={run}", f"--out={out}")
        assert not (out / "gallery").exists()
        draw(monkeypatch, f"--ckpt={run}", f"--out={out}")
        again, once = files(out / "gallery"), files(gallery)
        for content in (again, once):
            content.pop("manifest.json")  # it has the command, which names another folder
        assert again == once
    capsys.readouterr()
    draw(monkeypatch, f"--ckpt={run}", f"--out={out}")
    assert "drawing" not in capsys.readouterr().err  # it is there already


def test_a_check_finds_what_was_changed(run, gallery, tmp_path, monkeypatch, capsys):
    shutil.copytree(gallery, tmp_path / "gallery")
    draw(monkeypatch, f"--ckpt={run}", f"--out={tmp_path}", "--gallery.check")
    assert "as it was written" in capsys.readouterr().out
    (tmp_path / "gallery" / "index.html").unlink()
    with pytest.raises(SystemExit) as ended:
        draw(monkeypatch, f"--ckpt={run}", f"--out={tmp_path}", "--gallery.check")
    assert ended.value.code == 2 and "index.html is missing" in capsys.readouterr().err


def test_a_run_with_permuted_maps_is_matched_map_for_map(run, tmp_path, monkeypatch):
    params = jax.tree.map(np.array, load_run(run).params)
    order = np.random.default_rng(0).permutation(params["conv1"]["bias"].size)
    params["conv1"] = {name: value[..., order] for name, value in params["conv1"].items()}
    other = make_run(
        tmp_path / "two", SCENES, {7: {"params": params, "step": np.array(7)}}, names=CLASS_NAMES, dataset="scenes"
    )
    draw(monkeypatch, f"--ckpt={run},{other}", f"--out={tmp_path / 'out'}", "--layers=conv1")
    shown = data(tmp_path / "out" / "gallery", "one/conv1")
    found = shown["matches"]["two"]
    assert found["layer"] == "conv1"
    for unit, kin in enumerate(found["units"]):
        if shown["statistics"]["max"][unit] > 0:
            best = [number for number, correlation in kin if correlation > 0.99999]
            assert int(np.flatnonzero(order == unit)[0]) in best


def test_without_photos_only_projections_and_numbers_are_kept(run, tmp_path, monkeypatch):
    draw(monkeypatch, f"--ckpt={run}", f"--out={tmp_path}", "--layers=conv3", "--gallery.no_photos")
    gallery = tmp_path / "gallery"
    shown = data(gallery, "one/conv3")
    assert not shown["pictures"]["patches"] and data(gallery, "gallery")["sources"]["sheets"] == {"one": []}
    unit = next(unit for unit, top in enumerate(shown["top"]) if top)
    strip = cells(gallery / shown["pictures"]["dir"] / f"u{unit:04d}.avif", shown["pictures"]["cell"], 1)
    assert strip.shape[1] == len(shown["top"][unit])


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--maps=3", "takes no --maps"),
        ("--images=1", "takes no --images"),
        ("--gallery.thumb=9", "at least 16"),
        ("--format=pdf", "--gallery.format"),
        ("--layers=conv1 --gallery.dense", "leave --gallery.dense out"),
    ],
)
def test_what_a_gallery_cannot_show_is_refused_before_any_work(run, tmp_path, monkeypatch, capsys, flag, words):
    with pytest.raises(SystemExit) as ended:
        draw(monkeypatch, f"--ckpt={run}", f"--out={tmp_path}", *flag.split())
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and words in said and "\n" not in said and not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("visualize.py --ckpt=runs/zf --figure=gallery", "visualize.py --ckpt=runs/zf --figure=gallery"),
        ("/home/ann/zfjax/visualize.py --ckpt=/data/secret/zf", "visualize.py --ckpt=zf"),
        ("visualize.py --ckpt /data/a,/data/b,runs/c", "visualize.py --ckpt a,b,runs/c"),
        ("visualize.py --dataset=folder:/home/ann/photos", "visualize.py --dataset=folder:photos"),
        ("visualize.py --dataset=imagefolder:/x/y --out=/z/", "visualize.py --dataset=imagefolder:y --out=z"),
    ],
)
def test_the_command_that_is_kept_names_no_folders_above_what_it_names(words, shown):
    assert shown_command(words.split()) == shown


class View(NamedTuple):
    """What is asked of a view for the small pictures."""

    source: Any
    dataset: Any
    run: Any
    progress: bool = False


def test_each_run_has_the_small_pictures_that_its_network_sees(tmp_path):
    corners = np.random.default_rng(0).integers(0, 256, (3, 5, 5, 3), dtype=np.uint8)
    images = [np.asarray(Image.fromarray(each).resize((80, 80), Image.Resampling.BICUBIC)) for each in corners]

    class Images(list):
        def describe(self, number):
            return f"image {number}"

    source = Images({"image": image, "label": 0} for image in images)
    kinds = [Preprocess(80, 40), Preprocess(80, 40, mean=np.zeros(3)), Preprocess(80, 80)]
    views = [View(source, SimpleNamespace(class_names=("a",)), SimpleNamespace(preprocess=kind)) for kind in kinds]
    shown: Any = [Shown(view, f"run{number}", {}, []) for number, view in enumerate(views)]  # type: ignore[arg-type]
    found = draw_sources(shown, [0, 1, 2], [1, 2], "webp", building.Building(tmp_path, {}))
    sheets = found["sheets"]
    assert sheets["run0"] == sheets["run1"] != sheets["run2"]
    assert [found["images"][str(number)][0] for number in range(3)] == [-1, 0, 1]
    for slug, kind in (("run0", kinds[0]), ("run2", kinds[2])):
        picture = np.asarray(Image.open(tmp_path / "gallery.tmp" / sheets[slug][0]).convert("RGB"))
        wanted = Image.fromarray(kind.visible(images[1])).resize((64, 64), Image.Resampling.LANCZOS)
        assert decibels(picture[GUTTER : GUTTER + 64, GUTTER : GUTTER + 64], np.asarray(wanted)) > 24


def test_the_microscope_shows_the_gallery_of_its_own_weights_alone(run, gallery, tmp_path):
    opened = load_run(run)
    assert slug_in(gallery, opened) == "one"
    params = jax.tree.map(lambda leaf: leaf + 1, opened.params)
    assert slug_in(gallery, opened._replace(params=params)) == ""
    assert slug_in(tmp_path, opened) == ""
    settings = json.loads((gallery / "settings.json").read_text())
    (tmp_path / "manifest.json").write_text("{}")
    for strange in ([], {}, {**settings, "version": 1}, {**settings, "runs": [1]}, {**settings, "runs": [[{}, 1]]}):
        (tmp_path / "settings.json").write_text(json.dumps(strange))
        assert slug_in(tmp_path, opened) == ""
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    assert slug_in(tmp_path, opened) == "one"


def test_two_at_once_do_not_write_into_one_gallery(run, tmp_path, monkeypatch, capsys):
    from zfjax.runs.lock import locked

    with locked(tmp_path / "gallery.work"), pytest.raises(SystemExit) as ended:
        draw(monkeypatch, f"--ckpt={run}", f"--out={tmp_path}")
    assert ended.value.code == 2 and "is writing to" in capsys.readouterr().err


def test_other_images_of_the_same_name_and_number_make_another_gallery(run, tmp_path, monkeypatch, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()

    def shown(seed):
        for number in range(3):
            pixels = np.random.default_rng(seed + number).integers(0, 256, (50, 50, 3), np.uint8)
            Image.fromarray(pixels).save(photos / f"{number}.png")
        draw(monkeypatch, f"--ckpt={run}", f"--out={tmp_path}", f"--dataset=folder:{photos}", "--layers=conv1")
        return data(tmp_path / "gallery", "one/conv1")["top"]

    assert shown(0) != shown(100)
    about = data(tmp_path / "gallery", "gallery")
    assert about["data"]["name"] == "folder:photos" and "folder:photos" in about["notice"]
    found = files(tmp_path / "gallery")
    del found["manifest.json"]  # it has the command, as it was given
    assert not any(str(tmp_path).encode() in content for content in found.values())


def test_the_gallery_in_docs_is_whole_and_has_the_pages_of_today():
    """Else: visualize.py --ckpt=runs/zf-mini --figure=gallery --out=docs"""
    docs = Path(__file__).resolve().parents[2] / "docs"
    assert faults(docs) == []
    for page in page_files():
        there = docs / "gallery" / ("" if page.suffix == ".html" else "pages") / page.name
        assert there.read_bytes() == page.read_bytes()
