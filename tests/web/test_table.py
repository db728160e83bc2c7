"""Names in addresses and paths."""

from hypothesis import given
from hypothesis import strategies as st

from zfjax.arch import Arch
from zfjax.layers import Conv
from zfjax.web.table import layer_slugs, slugs, table


@given(st.lists(st.text(max_size=90), unique=True, max_size=8))
def test_slugs_are_safe_and_differ_where_capitals_do_not_count(names):
    found = slugs(names)
    assert list(found) == names and len({slug.casefold() for slug in found.values()}) == len(names)
    for slug in found.values():
        assert slug.isascii() and slug and slug[0] != "." and not set(slug) & set('/\\:*?"<>| \n\0')


def test_plain_names_stay_and_others_are_told_apart():
    found = slugs(["conv1", "Conv1", "a/b", "../x", "con", "x" * 300, "x" * 299])
    assert list(found.values()) == ["conv1", "Conv1-2", "a-b", "x", "con-", "x" * 60, "x" * 60 + "-2"]


def test_a_layers_slug_is_the_same_whatever_else_is_shown():
    arch = Arch((Conv("a/b", features=2, kernel=3), Conv("a-b", features=2, kernel=3)), image_size=8, num_classes=2)
    assert layer_slugs(arch, ["a-b"]) == {"a-b": "a-b-2"}
    entries = table(arch, ["a-b"])
    assert [entry["slug"] for entry in entries] == ["", "a-b-2"] and [entry["units"] for entry in entries] == [0, 2]
    assert entries[1]["inputs"] == ["a/b"] and entries[1]["field"] == [[5, 1, 0], [5, 1, 0]]
