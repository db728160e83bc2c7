"""Names for files and addresses from names of any kind, and a network's table as pages are told it."""

import re

from nets import TINY

from zfjax.arch import Arch
from zfjax.layers import Conv, Dense, Dropout
from zfjax.web.table import layer_slugs, slugs, table

HOSTILE = [
    *("<img src=x onerror=alert(1)>", "</script><script>alert(1)", "a\"b'c&d", "../../x", "..", "", "x" * 300),
    *("\u202eevil", "\x01", "Conv", "conv", "CONV", "conv-2", "fire2/expand1x1", "aux", "con.txt", "conv 2", "été"),
]


def test_slugs_are_safe_and_differ_where_case_does_not_count():
    found = slugs(HOSTILE)
    assert [*found] == HOSTILE
    assert len({slug.lower() for slug in found.values()}) == len(HOSTILE)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,70}", slug) for slug in found.values()), found
    assert found["fire2/expand1x1"] == "fire2-expand1x1" and found["Conv"] == "Conv"
    assert not {"aux", "con.txt"} & {*found.values()}  # Windows has no such files


def test_slugs_do_not_change_names_that_are_safe():
    names = ["conv1", "pool1", "fire9.concat", "fc_6", "a-b"]
    assert slugs(names) == {name: name for name in names}


def test_the_table_tells_what_the_network_does():
    rows = table(TINY, TINY.layer_names)
    assert [row["name"] for row in rows] == [*TINY.layer_names]
    conv2, fc5 = rows[3], rows[-1]
    field = TINY.receptive_field("conv2")
    assert conv2["field"] == [[field.size, field.stride, field.offset]] * 2 and fc5["field"] is None
    assert conv2["inputs"] == ["norm1"] and conv2["kind"] == "Conv" and conv2["relu"] and not fc5["relu"]
    assert sum(row["parameters"] for row in rows) == TINY.param_count()
    assert (conv2["units"], fc5["units"]) == (6, 5)


def test_what_is_not_looked_at_has_no_slug_and_no_units():
    arch = Arch((Conv("conv", 3, kernel=3), Dropout("drop"), Dense("fc")), image_size=9, num_classes=2)
    conv, drop, _ = table(arch, ["conv", "fc"])
    assert (drop["slug"], drop["units"], drop["shape"]) == ("", 0, conv["shape"])


def test_a_layers_slug_is_the_same_whatever_else_is_shown():
    arch = Arch((Conv("a/b", features=2, kernel=3), Conv("a-b", features=2, kernel=3)), image_size=8, num_classes=2)
    assert layer_slugs(arch, ["a-b"]) == {"a-b": "a-b-2"}
    assert [entry["slug"] for entry in table(arch, ["a-b"])] == ["", "a-b-2"]
