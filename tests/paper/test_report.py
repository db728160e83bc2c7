"""The report: claims judged by numbers, and a document in two forms."""

import base64
import dataclasses
import functools
import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from runs import random_run

from zfjax.draw.markdown import Table, literal
from zfjax.errors import InputError
from zfjax.paper.report import pipeline
from zfjax.paper.report.claims import CLAIMS, judge
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


def about(mean, count=21):
    """So many numbers around a mean."""
    return [mean + 0.01 * place for place in range(-(count // 2), count - count // 2)]


def pairs(mean, images=12):
    return about(mean, images * (images - 1) // 2)


HOLDING = {
    "evolution": {
        "similarity": {"conv1": 0.8, "conv5": 0.3},
        "first_maps": about(0.8),
        "last_maps": about(0.3, 31),
        "epochs": [1, 2, 5, 20],
    },
    "invariance": {
        "layers": ["norm1", "fc7"],
        "early_changes": [about(0.8), about(0.3)],
        "linearities": [about(0.1), about(0.9)],
    },
    "occlusion": {
        "correlations": about(0.6),
        "lost_inside": [about(0.5), about(0.4)],
        "lost_elsewhere": [about(0.1), about(0.1)],
    },
    "correspondence": {
        "layer": "pool5",
        "images": 12,
        "part_pairs": {"nose": pairs(0.07), "left_eye": pairs(0.08), "mouth": pairs(0.5)},
        "random_pairs": pairs(0.1),
    },
    "transfer": {
        "pretrained": 80.0,
        "scratch": 30.0,
        "train_per_class": 15,
        "by_layer": {"1": 40, "3": 60, "7": 80},
        "test": 250,
    },
    "ablations": {
        "val_top1": {
            "alexnet": 0.4, "alexnet-no34": 0.45, "alexnet-no7": 0.4, "alexnet-no67": 0.44, "alexnet-no3467": 0.7,
        },
        "val_images": 1000,
    },
    "selection": {
        "zf": {"dead": 0.0, "extreme": 0.2, "filters": 96},
        "alexnet": {"dead": 0.1, "extreme": 0.6, "filters": 96},
    },
    "renormalisation": {"rms_with": [1.5] + [1.0] * 30, "rms_without": [8.0] * 4 + [1.0] * 27, "reached": True},
}  # fmt: skip
REVERSED = {
    "evolution": {**HOLDING["evolution"], "first_maps": about(0.3), "last_maps": about(0.8)},
    "invariance": {name: row[::-1] for name, row in HOLDING["invariance"].items()},
    "occlusion": {
        "correlations": about(-0.6),
        "lost_inside": [about(0.5), about(0.1)],
        "lost_elsewhere": [about(0.1), about(0.4)],
    },
    "correspondence": {**HOLDING["correspondence"], "part_pairs": {"nose": pairs(0.12), "left_eye": pairs(0.08)}},
    "transfer": {
        **HOLDING["transfer"], "pretrained": 30.0, "scratch": 80.0, "by_layer": {"1": 80, "3": 60, "7": 40},
    },
    "ablations": {**HOLDING["ablations"], "val_top1": {**HOLDING["ablations"]["val_top1"], "alexnet-no67": 0.78}},
    "selection": {
        "zf": {"dead": 0.2, "extreme": 0.6, "filters": 96},
        "alexnet": {"dead": 0.0, "extreme": 0.2, "filters": 96},
    },
    "renormalisation": {
        "rms_with": HOLDING["renormalisation"]["rms_without"],
        "rms_without": HOLDING["renormalisation"]["rms_with"],
        "reached": True,
    },
}  # fmt: skip
FEW = {
    **HOLDING,
    "invariance": {**HOLDING["invariance"], "early_changes": [about(0.8, 5), about(0.3, 5)]},
    "occlusion": {name: about(0.6, 5) for name in ("correlations",)},
    "transfer": {**HOLDING["transfer"], "scratch": 79.0},
}


@functools.cache
def sound_claims():
    return judge(HOLDING)


@pytest.mark.parametrize(("measures", "verdict"), [(HOLDING, "holds"), (REVERSED, "does not hold")])
def test_claims_follow_the_numbers(measures, verdict):
    claims = judge(measures)
    assert {claim.claim: claim.verdict for claim in claims} == {sentence: verdict for sentence, _, _ in CLAIMS}
    assert all(" to " in claim.decided and " over " in claim.decided for claim in claims)


def test_what_decided_a_claim_is_said():
    told = {sentence: claim.decided for (sentence, _, _), claim in zip(CLAIMS, judge(REVERSED), strict=True)}
    (parts,) = (said for sentence, said in told.items() if sentence.startswith("Eyes and noses"))
    assert parts.startswith("holds for 1 of 2: nose: -0.02 (") and "; left eye: +0.02 (" in parts
    assert "12 images" in parts and "mouth" not in parts, "the paper covers eyes and noses"
    (worst,) = (said for sentence, said in told.items() if sentence.startswith("Removing layers"))
    assert worst.startswith("holds for 3 of 4: than alexnet: +0.3 (") and "; than alexnet-no67: -0.08 (" in worst


def test_few_images_and_what_hardly_differs_decide_nothing():
    told = {judged.__name__: claim for (_, _, judged), claim in zip(CLAIMS, judge(FEW), strict=True)}
    for name in ("_less_change", "_occlusion"):
        assert told[name].verdict == "undecided"
        assert told[name].decided.endswith("over 5 images: too few to decide, 10 would be the least")
    assert told["_more_linear"].verdict == "holds"
    assert (
        told["_pretraining"].verdict == "undecided"
        and "test images of a fold would tell" in told["_pretraining"].decided
    )


def test_a_tie_of_nothing_and_nothing_is_no_test():
    both = {name: {"dead": 0.0, "extreme": 0.2, "filters": 24} for name in ("zf", "alexnet")}
    told = {judged.__name__: claim for (_, _, judged), claim in zip(CLAIMS, judge({"selection": both}), strict=True)}
    assert told["_dead"].verdict == "not testable here"
    assert told["_dead"].decided == "both sides are the same, over 24 filters"
    assert told["_extreme"].verdict == "undecided", "as large a share, but of filters that might have been others"


@pytest.mark.parametrize(
    "measures",
    [
        {},
        {name: {"left_out": "not today"} for name in HOLDING},
        {name: {} for name in HOLDING},
        {**HOLDING, "invariance": {**HOLDING["invariance"], "early_changes": [[math.nan] * 21, about(0.1)]}},
        {**HOLDING, "correspondence": {**HOLDING["correspondence"], "part_pairs": {"nose": pairs(0.07)}}},
        {**HOLDING, "evolution": {**HOLDING["evolution"], "last_maps": []}},
        {**HOLDING, "renormalisation": {**HOLDING["renormalisation"], "reached": False}},
    ],
)
def test_what_was_not_measured_is_not_judged(measures):
    for claim, sound in zip(judge(measures), sound_claims(), strict=True):
        assert claim == sound or (claim.verdict == "not testable here" and len(claim.decided) > 5)
    assert "not testable here" in {claim.verdict for claim in judge(measures)}


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
        Section("Table 9", "Words.", (table,), (Picture("figures/dot.svg", "A dot", "It is <round>."),), {"x": 1}),
        Section("Empty"),
    )
    claims = (
        Claim("One.", "a < b", "1 and 2", "holds", "+1 (+0.5 to +2) over 20 images"),
        Claim("Two.", "b < a", "2 and 1", "does not hold", "-1"),
        Claim("Three.", "a < b", "1 and 1", "undecided", "0"),
    )
    document = Document("Title", {"data": "scenes"}, claims, sections, how="How.")
    markdown, html = (path.read_text() for path in write_report(document, tmp_path))
    assert "| a\\|b | 1.5 | 2.5 |\n| \\<c> | - | 3 |" in markdown
    assert "\nA note. And \\<one> more.\n" in markdown and "A note. And &lt;one&gt; more.</p>" in html
    assert "1 hold, 1 do not hold, 1 undecided." in markdown and "![A dot](figures/dot.svg)" in markdown
    assert (
        "| **holds** | One. | a < b | 1 and 2 | +1 (+0.5 to +2) over 20 images |" in markdown and "\nHow.\n" in markdown
    )
    assert markdown.index("**holds**") < markdown.index("| data | scenes |"), "verdicts first"
    assert html.index(">holds<") < html.index("<td>scenes</td>") and 'name="viewport"' in html
    assert "*A dot.* It is \\<round>." in markdown and 'alt="A dot"' in html
    assert "<b>A dot</b>It is &lt;round&gt;.</figcaption>" in html
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
        picture = Picture("a (b).svg", name, name)
        document = Document(
            name,
            {name: name},
            (Claim(name, name, name, "holds", name),),
            (Section(name, name, (table,), (picture,)),),
            name,
            name,
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
    section = Section("T", "t", (Table("a", ("b",), (("c",),), ("N.",)),), (Picture("p", "q", "r"),), {"m": 1})
    stored = json.loads(json.dumps(dataclasses.asdict(section)))
    assert section_from_dict(stored) == section
    stored["tables"][0]["note"] = "N."  # as earlier versions wrote it
    assert section_from_dict(stored) == section
    stored["tables"][0]["note"] = ""
    stored["pictures"][0] = {"path": "p", "caption": "q"}  # as earlier versions wrote it
    assert section_from_dict(stored).tables[0].note == ()
    assert section_from_dict(stored).pictures == (Picture("p", "q"),)


def test_pictures_of_the_page_are_small(tmp_path):
    """A photo and a curve, wider than is shown: a WebP each, smaller than its PNG, with its size beside it."""
    fine = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8).repeat(40, 0).repeat(40, 1)
    Image.fromarray(fine).save(tmp_path / "photo.png")
    (tmp_path / "b.svg").write_text("<svg/>")
    curve = np.full((600, 900, 3), 255, np.uint8)
    curve[np.arange(600), np.arange(600)] = 0
    Image.fromarray(curve).save(tmp_path / "curve.png")
    pictures = tuple(Picture(f"{name}.png", name) for name in ("photo", "curve"))
    page = write_report(Document("T", {}, (), (Section("S", pictures=pictures),)), tmp_path)[1].read_text()
    found = re.findall(r'src="data:image/webp;base64,([^"]*)" width="(\d+)" height="(\d+)"', page)
    shown = [Image.open(io.BytesIO(base64.b64decode(data))) for data, *_ in found]
    assert [each.size for each in shown] == [(1984, 1323), (900, 600)] == [(int(w), int(h)) for _, w, h in found]
    assert (np.asarray(shown[1].convert("RGB")) == curve).all(), "lines stay as they are"
    wanted = Image.fromarray(fine).resize((1984, 1323), Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(shown[0].convert("RGB")).astype(int) - np.asarray(wanted)).mean() < 6


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
