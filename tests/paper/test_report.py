"""The report: claims judged by numbers, and a document in two forms."""

import dataclasses
import json
import math
import re
from html.parser import HTMLParser

import pytest
from runs import random_run

from zfjax.draw.markdown import Table, literal
from zfjax.errors import InputError
from zfjax.paper.report import pipeline
from zfjax.paper.report.claims import CLAIMS, _rank_correlation, judge
from zfjax.paper.report.document import (
    Claim,
    Document,
    Picture,
    Section,
    section_from_dict,
    write_report,
)
from zfjax.paper.report.plan import Plan
from zfjax.terminal import visible
from zfjax.train.settings import Settings

HOLDING = {
    "evolution": {"similarity": {"conv1": 0.8, "conv5": 0.3}, "epochs": [1, 2, 5, 20]},
    "invariance": {"layers": ["norm1", "fc7"], "early": [0.8, 0.3], "linearity": [0.1, 0.9]},
    "occlusion": {
        "correlation": 0.6,
        "images": 9,
        "lost_inside": [0.5, 0.4],
        "lost_elsewhere": [0.1, 0.1],
    },
    "correspondence": {"layer": "pool5", "images": 5, "parts": {"nose": 0.07, "eye": 0.08}, "random": 0.1},
    "transfer": {"pretrained": 80.0, "scratch": 30.0, "train_per_class": 15, "by_layer": {"1": 40, "3": 60, "7": 80}},
    "ablations": {
        "val_top1": {
            "alexnet": 0.4, "alexnet-no34": 0.45, "alexnet-no7": 0.4, "alexnet-no67": 0.44, "alexnet-no3467": 0.7,
        }
    },
    "selection": {"zf": {"dead": 0.0, "extreme": 0.2}, "alexnet": {"dead": 0.1, "extreme": 0.6}},
    "renormalisation": {"with_cap": 1.5, "without": 8.0, "reached": True},
}  # fmt: skip
REVERSED = {
    "evolution": {"similarity": {"conv1": 0.3, "conv5": 0.8}, "epochs": [1, 2, 5, 20]},
    "invariance": {"layers": ["norm1", "fc7"], "early": [0.3, 0.8], "linearity": [0.9, 0.1]},
    "occlusion": {
        "correlation": -0.6,
        "images": 9,
        "lost_inside": [0.5, 0.1],
        "lost_elsewhere": [0.1, 0.4],
    },
    "correspondence": {"layer": "pool5", "images": 5, "parts": {"nose": 0.11, "eye": 0.1}, "random": 0.1},
    "transfer": {"pretrained": 30.0, "scratch": 80.0, "train_per_class": 15, "by_layer": {"1": 80, "3": 60, "7": 40}},
    "ablations": {"val_top1": {**HOLDING["ablations"]["val_top1"], "alexnet-no67": 0.71}},
    "selection": {"zf": {"dead": 0.0, "extreme": 0.6}, "alexnet": {"dead": 0.1, "extreme": 0.2}},
    "renormalisation": {"with_cap": 8.0, "without": 1.5, "reached": True},
}


@pytest.mark.parametrize(("measures", "verdict"), [(HOLDING, "holds"), (REVERSED, "does not hold")])
def test_claims_follow_the_numbers(measures, verdict):
    assert {claim.claim: claim.verdict for claim in judge(measures)} == {sentence: verdict for sentence, _, _ in CLAIMS}


@pytest.mark.parametrize(
    "measures",
    [
        {},
        {name: {"left_out": "not today"} for name in HOLDING},
        {name: {} for name in HOLDING},
        {**HOLDING, "invariance": {**HOLDING["invariance"], "early": [math.nan, 0.1], "linearity": [math.nan, 1]}},
        {**HOLDING, "renormalisation": {**HOLDING["renormalisation"], "reached": False}},
    ],
)
def test_what_was_not_measured_is_not_judged(measures):
    for claim, sound in zip(judge(measures), judge(HOLDING), strict=True):
        assert claim == sound or (claim.verdict == "not testable here" and len(claim.measured) > 5)
    assert "not testable here" in {claim.verdict for claim in judge(measures)}


def test_rank_correlation():
    assert _rank_correlation([1, 5, 9]) == pytest.approx(1)
    assert _rank_correlation([9, 5, 1]) == pytest.approx(-1)
    assert _rank_correlation([4, 4, 4]) == 0
    assert _rank_correlation([1, 9, 5]) == pytest.approx(0.5)  # 1 - 6 * (0 + 1 + 1) / (3 * 8)


def test_a_document_in_both_forms(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "dot.svg").write_text("<svg/>")
    table = Table(
        "Errors",
        ("network", "ours", "paper: ImageNet"),
        (("a|b", "1.5", "2.5"), ("<c>", "-", "3")),
        ("A note.", "And <one> more."),
    )
    sections = (
        Section("Table 9", "Words.", (table,), (Picture("figures/dot.svg", "A dot"),), {"x": 1}),
        Section("Empty"),
    )
    claims = (Claim("One.", "a < b", "1 and 2", "holds"), Claim("Two.", "b < a", "2 and 1", "does not hold"))
    document = Document("Title", {"data": "scenes"}, claims, sections)
    markdown, html = (path.read_text() for path in write_report(document, tmp_path))
    assert "| a\\|b | 1.5 | 2.5 |\n| \\<c> | - | 3 |" in markdown
    assert "\nA note. And \\<one> more.\n" in markdown and "A note. And &lt;one&gt; more.</p>" in html
    assert "1 hold, 1 do not hold." in markdown and "![A dot](figures/dot.svg)" in markdown
    assert "&lt;c&gt;" in html and "data:image/svg+xml;base64,PHN2Zy8+" in html
    assert html.count('class="paper">') == 1 + 1 + 2  # the legend, the heading, two cells
    assert not re.search(r'(src|href)="(?!data:|#|https://arxiv)', html), "the page stands alone"


NAMES = (
    '<script src="https://x">alert(1)</script>',
    '" onerror="alert(1)',
    "](javascript:alert(1)) ![x](https://x/y.png)",
    "a | b\n| c |\n\n# d",
    "`code` and ``more``",
    "*a* __b__ ~~c~~ $d$ &lt;e&gt; \\<f>",
    "\x1b[2J\u202e\0\udce9",
)


@pytest.mark.parametrize("name", NAMES)
def test_no_name_speaks_to_the_page(name, tmp_path):
    """It is in every place of a document: the page has the tags of one with a plain name, and the lines alike."""

    def written(name: str) -> tuple[str, str]:
        (tmp_path / "a (b).svg").write_text("<svg/>")
        table = Table(name, (name, f"paper {name}"), ((name, name), (name, name)), (name, name))
        picture = Picture("a (b).svg", name)
        document = Document(
            name, {name: name}, (Claim(name, name, name, "holds"),), (Section(name, name, (table,), (picture,)),), name
        )
        return tuple(path.read_text(encoding="utf-8") for path in write_report(document, tmp_path))

    markdown, html = written(name)
    plain_markdown, plain_html = written("plain")
    assert tags(html) == tags(plain_html) and "a%20%28b%29.svg" in markdown
    shown = literal(name)
    assert markdown == plain_markdown.replace("plain", shown) and not set("\x1b\n\0\u202e") & set(shown)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", shown) == visible(name.replace("\n", " "))
    assert not re.search(r"(?<!\\)[`\[|$]|(?<!\\)<[a-z/]|(?<!\\)&\w+;", shown)


def tags(page: str) -> list:
    """Tags and the names of their attributes, text left out."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.append((tag, [key for key, _ in attributes]))
    parser.feed(page)
    return found


def test_ordinary_text_is_its_own_markdown():
    for text in ("a < b, c_d * 2 & more", "fc7 (layer 7) ± 0.5 – x × y", "folder:/a/b-c_1.png", "{a}#-+!"):
        assert literal(text) == text


def test_sections_survive_json():
    section = Section("T", "t", (Table("a", ("b",), (("c",),), ("N.",)),), (Picture("p", "q"),), {"m": 1})
    stored = json.loads(json.dumps(dataclasses.asdict(section)))
    assert section_from_dict(stored) == section
    stored["tables"][0]["note"] = "N."  # as earlier versions wrote it
    assert section_from_dict(stored) == section
    stored["tables"][0]["note"] = ""
    assert section_from_dict(stored).tables[0].note == ()


def stub(name, done):
    def step(plan):
        done.append(name)
        return Section(f"About {name}", measures={"val_top1": {"zf": 0.25}} if name == "ablations" else {})

    return step


def test_a_step_that_fails_ends_no_report_and_is_tried_again(tmp_path, monkeypatch, capsys):
    done = []
    monkeypatch.setattr(pipeline, "STEPS", {name: stub(name, done) for name in pipeline.STEPS})
    plan = Plan(Settings(dataset="scenes"), "smoke", tmp_path, archs=("zf",))
    random_run(plan.run("zf"))

    def fails(plan):
        raise InputError("conv5: all maps are silent")

    for name in ("features", "occlusion"):
        monkeypatch.setitem(pipeline.STEPS, name, fails)
    with pytest.raises(InputError, match=r"report.md is written without features \(conv5: .*; occlusion \(conv5: all"):
        pipeline.make_report(plan)
    assert sorted(done) == sorted({*pipeline.STEPS} - {"features", "occlusion"})
    said = (tmp_path / "report.md").read_text()
    assert said.count("Left out: conv5: all maps are silent.") == 2 and "About baselines" in said
    assert capsys.readouterr().err.count("left out: ") == 2
    for name in ("features", "occlusion"):
        monkeypatch.setitem(pipeline.STEPS, name, stub(name, done))
    assert "Left out: conv5" not in pipeline.make_report(plan)[0].read_text()
    assert sorted(done) == sorted(pipeline.STEPS), "every step once"
    (tmp_path / "steps" / "ablations.json").unlink()
    monkeypatch.setitem(pipeline.STEPS, "ablations", fails)
    with pytest.raises(InputError, match="^conv5: all maps are silent"):
        pipeline.make_report(plan)


def test_a_report_goes_on_where_it_was(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(pipeline, "STEPS", {name: stub(name, done) for name in pipeline.STEPS})
    plan = Plan(Settings(dataset="scenes"), "smoke", tmp_path, archs=("zf",))
    random_run(plan.run("zf"))

    def fails(plan):
        raise RuntimeError("the power is cut")

    monkeypatch.setitem(pipeline.STEPS, "occlusion", fails)
    with pytest.raises(RuntimeError):
        pipeline.make_report(plan)
    first = [*done]
    assert "features" in first and "transfer" not in first
    monkeypatch.setitem(pipeline.STEPS, "occlusion", stub("occlusion", done))
    page = pipeline.make_report(plan)[1].read_text()
    assert sorted(done) == sorted(pipeline.STEPS), "every step once"
    assert "has learnt little" not in page
    assert "25.0 % (guessing: 90.0 %)" in page and page.index("About features") < page.index("About baselines")
    monkeypatch.setitem(pipeline.STEPS, "ablations", lambda plan: Section("", measures={"val_top1": {"zf": 0.5}}))
    (tmp_path / "steps" / "ablations.json").unlink()
    assert "has learnt little" in pipeline.make_report(plan)[0].read_text()
    with pytest.raises(InputError, match=r"other settings \(dataset: 'scenes' there, 'cifar10' here"):
        pipeline.make_report(dataclasses.replace(plan, settings=Settings(dataset="cifar10")))
    with pytest.raises(InputError, match="figures are of zf"):
        pipeline.make_report(dataclasses.replace(plan, archs=("alexnet",)))
