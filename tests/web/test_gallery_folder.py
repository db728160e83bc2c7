"""The gallery's folder: there at once or not at all, and never in place of something else."""

import json

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


@pytest.mark.parametrize("name", ["gallery", "gallery.tmp", "gallery.old"])
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
