"""The gallery's folder: there at once or not at all, and never in place of something else."""

import json
import shutil

import pytest

from zfjax.errors import InputError
from zfjax.web.gallery.folder import MANIFEST, Building, faults, finished

SETTINGS = {"runs": ["a"], "thumb": 96}


def begun(tmp_path, settings=SETTINGS):
    building = Building(tmp_path, settings)
    building.write("img/a/u0000.avif", b"picture")
    return building


def test_a_gallery_is_there_when_it_is_finished_and_not_before(tmp_path):
    building = begun(tmp_path)
    assert not (tmp_path / "gallery").exists() and not finished(tmp_path, SETTINGS)
    manifest = building.finish("visualize.py --figure=gallery")
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"gallery"}
    assert finished(tmp_path, SETTINGS) and not finished(tmp_path, {**SETTINGS, "thumb": 64})
    assert manifest["files"]["img/a/u0000.avif"][0] == len(b"picture")
    assert (
        manifest["total"]
        == sum(p.stat().st_size for p in (tmp_path / "gallery").rglob("*") if p.is_file())
        - (tmp_path / "gallery" / MANIFEST).stat().st_size
    )


def test_what_a_stop_leaves_is_taken_up_again_by_the_same_settings(tmp_path, capsys):
    begun(tmp_path)
    (tmp_path / "gallery.tmp" / "img" / "half.part").write_bytes(b"half")
    again = Building(tmp_path, SETTINGS)
    assert again.has("img/a/u0000.avif") and not capsys.readouterr().err
    again.finish("")
    assert not (tmp_path / "gallery" / "img" / "half.part").exists()
    other = begun(tmp_path)
    other.write("img/a/u0001.avif", b"picture")
    anew = Building(tmp_path, {**SETTINGS, "thumb": 64})
    assert not anew.has("img/a/u0000.avif")
    assert "thumb: 96 there, 64 here" in capsys.readouterr().err
    assert finished(tmp_path, SETTINGS)  # the one that was there


def test_a_new_gallery_takes_the_place_of_the_old_one(tmp_path):
    begun(tmp_path).finish("")
    building = Building(tmp_path, {**SETTINGS, "thumb": 64})
    building.write("index.html", b"new")
    building.finish("")
    assert not (tmp_path / "gallery" / "img").exists()
    assert (tmp_path / "gallery" / "index.html").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["gallery", "gallery.tmp", "gallery.old", "gallery.work"])
def test_what_is_no_gallery_stays(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="no gallery"):
        begun(tmp_path)
    assert (tmp_path / name / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["gallery", "gallery.tmp", "gallery.work"])
def test_a_link_in_its_place_is_not_followed(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="link"):
        begun(tmp_path)


def test_a_check_names_what_is_missing_changed_or_foreign(tmp_path):
    building = begun(tmp_path)
    for name in ("a.js", "b.js"):
        building.write(name, b"data")
    building.finish("")
    assert faults(tmp_path) == []
    place = tmp_path / "gallery"
    (place / "a.js").unlink()
    (place / "b.js").write_bytes(b"date")
    (place / "c.js").write_bytes(b"data")
    assert faults(tmp_path) == ["a.js is missing", "c.js is not of this gallery", "b.js was changed"]
    (place / MANIFEST).unlink()
    with pytest.raises(InputError, match="no gallery to check"):
        faults(tmp_path)


def test_a_stop_between_the_last_two_renames_loses_nothing(tmp_path):
    begun(tmp_path).finish("")
    building = Building(tmp_path, {**SETTINGS, "thumb": 64})
    building.write("index.html", b"new")
    (tmp_path / "gallery").rename(tmp_path / "gallery.old")  # as far as a kill let it come
    again = Building(tmp_path, {**SETTINGS, "thumb": 64})
    assert again.has("index.html")
    again.finish("")
    assert {path.name for path in tmp_path.iterdir()} == {"gallery"}
    assert json.loads((tmp_path / "gallery" / "settings.json").read_text())["thumb"] == 64


def test_what_one_of_the_two_folders_lacks_the_other_does_not_know(tmp_path, capsys):
    begun(tmp_path).work.joinpath("sources.json").write_text("of other images")
    shutil.rmtree(tmp_path / "gallery.tmp")
    assert not (Building(tmp_path, SETTINGS).work / "sources.json").exists()
    building = begun(tmp_path, {**SETTINGS, "thumb": 64})
    assert building.has("img/a/u0000.avif")
    building.finish("")
    begun(tmp_path).work.joinpath("sources.json").write_text("of other images")
    shutil.rmtree(tmp_path / "gallery.tmp")  # as a stop within the last removal leaves it
    assert not (Building(tmp_path, {**SETTINGS, "thumb": 64}).work / "sources.json").exists()


@pytest.mark.parametrize("name", ["gallery.tmp/img", "gallery.work/run", "gallery/pages"])
def test_links_further_down_are_not_followed(tmp_path, name):
    building = begun(tmp_path)
    if name.startswith("gallery/"):
        building.finish("")
    path, victim = tmp_path / name, tmp_path / "victim"
    victim.mkdir()
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to(victim)
    with pytest.raises(InputError, match="is a link"):
        begun(tmp_path)
    assert not [*victim.iterdir()]


def test_a_file_in_its_place_stays(tmp_path):
    (tmp_path / "gallery").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        begun(tmp_path)


def test_folders_may_be_called_as_parts_of_files_are(tmp_path):
    building = begun(tmp_path)
    building.write("img/zf.part/u0000.avif", b"picture")
    building.finish("")
    assert (tmp_path / "gallery" / "img" / "zf.part" / "u0000.avif").is_file() and not faults(tmp_path)
