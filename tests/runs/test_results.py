"""What is said where settings differ."""

import pytest

from zfjax.errors import InputError
from zfjax.runs.results import differences, refuse


def test_only_what_counts_is_compared():
    there, here = {"seed": 0, "split": "own", "old": 1}, {"seed": 1, "split": "own", "new": None, "size": (2,)}
    assert differences(there, here) == ["seed: 0 there, 1 here", "size: None there, (2,) here"]
    assert differences({"split": "own"}, {"split": "random"}, show=str) == ["split: own there, random here"]


def test_a_refusal_names_six_differences_and_what_would_do():
    refuse("x holds results of", [])
    with pytest.raises(InputError) as caught:
        refuse("x holds results of", differences({}, dict.fromkeys("abcdefgh", 1)))
    said = str(caught.value)
    assert said.startswith("x holds results of other settings (a: None there, 1 here; b: None there, 1 here; c: ")
    assert said.endswith("f: None there, 1 here; and 2 more); repeat them or give another --out")
    with pytest.raises(InputError, match=r"other settings \(b\); give another folder"):
        refuse("x was begun with", ["b"], advice="give another folder")
