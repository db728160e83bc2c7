"""README and docs: every link leads somewhere, every picture is said in words, and the blocks of code run."""

import ast
import contextlib
import functools
import inspect
import json
import re
from pathlib import Path
from urllib.parse import unquote

import jax
import numpy as np
import pytest
from runs import random_run

import zfjax

ROOT = Path(__file__).resolve().parents[1]
DOCS, NOTEBOOK = ROOT / "docs", ROOT / "examples" / "tutorial.ipynb"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)|<a href=\"([^\"]+)\">()()", re.DOTALL)
FENCED = re.compile(r"^```(\S*).*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def prose(path: Path) -> str:
    """A page without its code; of a notebook its words."""
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text())["cells"]
        return "\n\n".join("".join(each["source"]) for each in cells if each["cell_type"] == "markdown")
    return FENCED.sub("", path.read_text())


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    """What `page#name` may name: the headings as code hosts spell them."""
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading) for heading in HEADING.findall(prose(path)))
    return frozenset(re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in words)


def links(path: Path) -> list[tuple[str, str, str]]:
    """("!" of a picture, text, target) of every link."""
    return [(picture, text, target or other) for picture, text, target, other, *_ in LINK.findall(prose(path))]


@pytest.mark.parametrize("path", [*PAGES, NOTEBOOK], ids=lambda path: path.name)
def test_links_lead_somewhere_and_pictures_are_said_in_words(path):
    for picture, text, target in links(path):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = unquote(target).partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{path.name}: {target} names none of {sorted(anchors(there))}"
        assert not picture or len(text) > 10, f"{path.name}: {target} has no words for those who do not see it"


def test_the_search_for_links_finds_those_of_a_page(tmp_path):
    page = tmp_path / "page.md"
    text = '# A `b`: [c](d), 2\n[one](x.md#y) ![a\ndrawing](z.png) <a href="w/">`t`</a>\n'
    page.write_text(f"{text}```python\nf[i](j)\n```\n")
    assert links(page) == [("", "c", "d"), ("", "one", "x.md#y"), ("!", "a\ndrawing", "z.png"), ("", "", "w/")]
    assert anchors(page) == {"a-b-c-2"}


def test_every_page_is_in_the_table_of_contents():
    fenced = [found for page in DOCS.glob("*.md") for found in FENCED.findall(page.read_text())]
    listed = re.findall(r"^\w+$", "\n".join(text for kind, text in fenced if kind == "{toctree}"), re.MULTILINE)
    assert sorted(listed) == sorted({NOTEBOOK.stem, *(path.stem for path in DOCS.glob("*.md"))} - {"index"})


def test_every_picture_of_the_docs_is_shown_and_drawn_by_a_command():
    shown = {(path.parent / target).resolve() for path in PAGES for picture, _, target in links(path) if picture}
    there = {each for ending in ("webp", "png", "svg") for each in DOCS.glob(f"*.{ending}")}
    assert there <= shown
    commands = (ROOT / "Makefile").read_text() + (DOCS / "screenshots.py").read_text()
    for path in there:
        assert re.search(rf"\b{re.escape(path.stem)}\b", commands), f"{path.name}: no command draws it"


def test_the_reference_has_every_public_name():
    reference = "".join(path.read_text() for path in DOCS.glob("api*.md"))
    named = set(re.findall(r"^\.\. (?:auto\w+|py:\w+):: zfjax\.(\w+)", reference, re.MULTILINE))
    assert named >= {name for name in zfjax.__all__ if name not in zfjax._MODULES}


def blocks(page: str) -> list[str]:
    return [code for kind, code in FENCED.findall((DOCS / page).read_text()) if kind == "python"]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


EVERY = slice(None)


def ran(page: str, which: slice = EVERY, **names) -> dict:
    """The names that a page's blocks leave behind, one block after the other."""
    assert (found := blocks(page)[which]), page
    for code in found:
        exec(compile(code, page, "exec"), names)
    return names


def traced(page: str, which: slice = EVERY, **names) -> dict:
    """The same for shapes alone: nothing is compiled, which would take most of half a minute."""
    left: dict = {}
    jax.eval_shape(lambda: left.update(ran(page, which, **names)))
    return left


@pytest.fixture
def of_zf_mini(tmp_path, monkeypatch):
    """The run that pages load, made before they are traced: reading one needs arrays, not their shapes."""
    run = zfjax.load_run(random_run(tmp_path, zfjax.get_arch("zf-mini", num_classes=10)))
    monkeypatch.setattr(zfjax, "load_run", {"runs/zf-mini": run}.get, raising=False)
    return run


def test_code_on_research_has_the_shapes_that_it_says(of_zf_mini):
    names = traced("howto_research.md", slice(1))
    assert names["images"].shape == (1, 64, 64, 3) and names["projection"].pixels.shape == (3, 83, 83, 3)
    assert names["pictures"].shape == (3, 64, 64, 3)
    # A function that cannot be traced has to be called.
    called = ran("howto_research.md", slice(1, 2), zfjax=zfjax, images=np.zeros((1, 64, 64, 3), np.float32))
    assert called["covered"].shape == (8, 8, 3) and called["turned"]["rotation"].shape == (8,)
    trained = traced("howto_research.md", slice(2, None), zfjax=zfjax, np=np, render=names["render"])
    assert trained["state"].params["conv1"]["kernel"].shape == of_zf_mini.params["conv1"]["kernel"].shape
    assert set(trained["sums"]) == {"loss", "top1", "count"}


def test_code_on_networks_describes_the_network(capsys):
    names = traced("howto_networks.md")
    assert names["params"]["conv1"]["kernel"].shape == (5, 5, 3, 16) and "sum2" in capsys.readouterr().out


def test_code_on_weights_makes_a_run(tmp_path):
    with contextlib.chdir(tmp_path):
        made = ran("howto_weights.md")
        run = zfjax.load_run(made["path"])
    assert run.class_names == ("cat", "dog", "neither")
    jax.tree.map(np.testing.assert_array_equal, run.params, made["params"])
    grey = np.full((32, 32, 3), 124 + 58, np.uint8)
    np.testing.assert_allclose(run.preprocess(grey)[0, 0, 0], [1, 65 / 57, 78 / 57], rtol=1e-6)


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md") if "```python" in path.read_text()))
def test_names_in_the_code_of_a_page_are_there(page):
    for node in ast.walk(ast.parse("\n".join(blocks(page)))):
        if isinstance(node, ast.Call) and re.fullmatch(r"zfjax(\.\w+)+", name := ast.unparse(node.func)):
            function = functools.reduce(getattr, name.split(".")[1:], zfjax)
            keywords = {each.arg: None for each in node.keywords}
            inspect.signature(function).bind(*node.args, **keywords)  # raises for what it lacks or does not take


def test_code_on_attribution_gives_what_arithmetic_gives(of_zf_mini):
    assert ran("attribution.md", slice(1))["signal"].tolist() == [3.0] * 4  # three hidden units, all weights one
    names = traced("attribution.md", slice(1, None), zfjax=zfjax)
    assert names["found"].attributions.shape == names["images"].shape == (2, 64, 64, 3)
    assert names["targets"].shape == names["found"].gap.shape == (2,)
