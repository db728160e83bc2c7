"""docs/claims.toml: no number stands in a table without its command; how what the commands print is judged."""

import re
import tomllib
from pathlib import Path

import pytest
from runs import ROOT

from benchmarks import claims
from benchmarks.claims import Config, Value, check, read_claims
from zfjax.errors import InputError

LISTED = tomllib.loads(claims.CLAIMS.read_text(encoding="utf-8"))
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
# What is measured in a table: a number with its unit, or one that is not whole.
UNITS = "%|points|ms|s|min|hours|MB|GB|MiB|GiB|GB/s|images|images/s|scenes|faces|tests|units|times|px|pixels"
NUMBER = re.compile(rf"(?<![\w.])\d[\d,]*(?:\.\d+\b|(?:\.\d+)?\s(?:{UNITS})(?!\w))")


def one_line(text):
    return " ".join(text.split())


def plain(row):
    """A table's row without what is code and without the addresses of links: blanks in their place."""
    return re.sub(r"`[^`]*`|(?<=\])\([^)]*\)", lambda found: "`" * len(found[0]), row)


def unclaimed(page, texts):
    """Numbers in the tables of a page that lie in none of the texts."""
    for line in page.splitlines():
        if not line.startswith("|"):
            continue
        row = one_line(line)
        spans = [(found.start(), found.end()) for text in texts for found in re.finditer(re.escape(text), row)]
        for number in NUMBER.finditer(plain(row)):
            if not any(start <= number.start() and number.end() <= end for start, end in spans):
                yield f"{number[0]} in {row}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_number_of_a_table_is_listed(page):
    texts = [one_line(each["text"]) for each in (*LISTED["claim"], *LISTED["stated"]) if ROOT / each["file"] == page]
    assert not [*unclaimed(page.read_text(encoding="utf-8"), texts)]


def test_a_number_that_is_not_listed_is_found():
    page = "| `--width=0.25` [a](b_0.5.md) | 3.5 of 12 % in 2 layers, 40 s |\nand 7.5 %\n"
    assert [each.partition(" in ")[0] for each in unclaimed(page, ["3.5 of"])] == ["12 %", "40 s"]
    assert not [*unclaimed(page, ["3.5 of 12 % in", "40 s |"])]


@pytest.mark.parametrize("each", [*LISTED["claim"], *LISTED["stated"]], ids=lambda each: one_line(each["text"])[:40])
def test_the_words_of_every_claim_stand_in_its_file(each):
    assert one_line(each["text"]) in one_line((ROOT / each["file"]).read_text(encoding="utf-8"))


def test_commands_are_found_and_patterns_have_one_group():
    runs, listed = read_claims()
    for value in (value for claim in listed for value in claim.values if value.find != "seconds"):
        assert re.compile(value.find).groups == 1, value
    for run in runs.values():
        for script in re.findall(r"\bpython (?:-m )?([\w./]+)", run.command):
            names = [script, f"{script.replace('.', '/')}.py", f"{script.replace('.', '/')}/__main__.py"]
            assert script in ("pytest", "venv") or any((ROOT / name).exists() for name in names), script
        assert run.minutes > 0 and run.measured and {name for claim in listed for name in [claim.run]} >= {run.name}


MADE_UP = """
[[run]]
name = "first"
command = "echo once >> $WORK/calls; echo 'top-1 0.25'; echo 'top-1 1,000.5'; echo 'of 7' > $WORK/kept"
minutes = 1
measured = "here"

[[run]]
name = "second"
command = "cat $WORK/calls; python -c 'import sys; print(sys.argv)'"
minutes = 1
measured = "here"
after = ["first"]

[[run]]
name = "fails"
command = "false | cat; echo never"
minutes = 1
measured = "here"

[[run]]
name = "after it"
command = "echo never"
minutes = 1
measured = "here"
after = ["fails"]

[[run]]
name = "long"
command = "echo never"
minutes = 120
measured = "there"

[[run]]
name = "lacks"
command = "echo never"
minutes = 1
measured = "there"
needs = ["$DATA/photos"]

[[claim]]
file = "a"
text = "b"
run = "first"
values = [
  { what = "lowest", expected = 0.3, find = 'top-1 (\\S+)', take = "min", tolerance = 0.05 },
  { what = "file", expected = 7, find = 'of (\\d)', file = "kept", tolerance = 0 },
  { what = "time", expected = 60, find = "seconds" },
]

[[claim]]
file = "a"
text = "b"
run = "second"

[[claim]]
file = "a"
text = "b"
run = "fails"

[[claim]]
file = "a"
text = "b"
run = "after it"

[[claim]]
file = "a"
text = "b"
run = "long"

[[claim]]
file = "a"
text = "b"
run = "lacks"
"""


@pytest.fixture
def made_up(tmp_path):
    path = tmp_path / "claims.toml"
    path.write_text(MADE_UP)
    return path, Config(work=str(tmp_path / "work"), data=str(tmp_path))


def test_numbers_are_made_again_and_a_second_call_goes_on(made_up, capsys):
    path, config = made_up
    assert not check(config, path), "a time of no second is not a minute's, and one command fails"
    said = capsys.readouterr().out
    for line in (
        r"\| first: lowest +\| +0.3 ± 0.05 \| +0.25 \| +yes \|",
        r"\| first: file +\| +7 ± 0 \| +7 \| +yes \|",
        r"\| first: time +\| +60 \(order\) \| +\S+ \| +NO \|",
        r"\| second: ends well +\| +b \| +it does \| +yes \|",
        r"\| fails +\| +b \| +ended with 1, see .*fails.txt \| +NO \|",
        r"not run: after it: it needs what fails makes",
        r"not run: long: it takes 2.0 hours \(there\): --only=long",
        r"not run: lacks: there is no \$DATA/photos \(there\)",
        r"3 agree, 2 differ, 3 commands were not run",
    ):
        assert re.search(f"^{line}$", said, re.MULTILINE), line
    path.write_text(MADE_UP.replace('expected = 60, find = "seconds"', 'expected = 1000.5, find = "top-1 (.*)"'))
    (Path(config.data) / "photos").write_text("there now")
    check(config, path)
    said = capsys.readouterr().out
    assert "first: about" not in said and "lacks: about 1 min" in said and "fails: about 1 min" in said
    assert "5 agree, 1 differ, 2 commands" in said, "what was printed is judged anew"
    assert (Path(config.work) / "calls").read_text() == "once\n"
    assert check(Config(work=config.work, data=config.data, only="second", again=True), path)
    assert (Path(config.work) / "calls").read_text() == "once\n" * 2, "with what it needs"


def test_wrong_lists_are_refused(made_up):
    path, config = made_up
    with pytest.raises(InputError, match=r"--only: there is no command 'third'; there are first, second"):
        check(Config(work=config.work, only="third"), path)
    path.write_text(MADE_UP.replace('after = ["fails"]', 'after = ["third"]'))
    with pytest.raises(InputError, match="claims.toml: there is no command 'third'"):
        check(config, path)


@pytest.mark.parametrize(("take", "wanted"), [("first", 3), ("last", 2), ("min", 1), ("max", 1000), ("count", 4)])
def test_which_of_several_numbers(tmp_path, take, wanted):
    (tmp_path / "a.txt").write_text("n 3\nn 1\nn 1,000\nn 2\n")
    value = Value("x", 0, r"^n ([\d,]+)", take=take)
    assert claims.measured(value, "a", {}, tmp_path) == wanted
    assert claims.measured(Value("x", 0, r"^m (\d+)"), "a", {}, tmp_path) is None
