"""Reports: whole, in themselves, and safe to look at."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only of what we wrote ourselves
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from snaplink import report
from snaplink.errors import MissingPackageError
from snaplink.evaluation import compare, evaluate, read
from snaplink.examples import encode
from snaplink.fake_encoder import FakeEncoder
from snaplink.fewshot import Point
from snaplink.labelled import Labelled, Sample
from snaplink.linear_probe import linear_probe
from snaplink.report.evaluation_page import plots
from snaplink.report.per_class import class_figures
from snaplink.report.plots import confusion_plot

EVIL = '<script>alert("x")</script> & $co$t_1'


def data(classes=5, task="classification"):
    names = (EVIL, *(f"class {i}" for i in range(1, classes)))
    samples = [
        Sample(
            f"{i}.png",
            lambda i=i: Image.new("RGB", (30, 20), (i, 90, 200)),
            () if task == "retrieval" else (i % classes,),
            (f"caption {i}",) if task == "retrieval" else (),
        )
        for i in range(24)
    ]
    known = (
        {}
        if task == "retrieval"
        else {"class_names": names, "synonyms": tuple((n,) for n in names)}
    )
    return Labelled("evil <b>set</b>", task, samples, **known)


VOID = {"meta", "img", "br"}


class Parsed(HTMLParser):
    """Counts tags, and checks that each is closed."""

    def __init__(self, text):
        super().__init__()
        self.counts, self.open, self.links = {}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def page_of(path):
    text = path.read_text(encoding="utf-8")
    return text, Parsed(text)


def test_the_page_shows_it_all_and_needs_nothing_else(tmp_path):
    labelled = data()
    result = evaluate(labelled, FakeEncoder(), command="snaplink eval 'a b'")
    report.write_evaluation(tmp_path / "r.html", result, labelled)
    text, parsed = page_of(tmp_path / "r.html")
    assert parsed.open == []
    assert parsed.counts["svg"] == 3
    wrong = sum(rank > 0 for rank in result.outcomes["ranks"])
    assert parsed.counts["img"] == wrong
    assert all(link.startswith(("data:image/webp;base64,", "#")) for link in parsed.links)
    assert "script" not in parsed.counts
    assert "&lt;script&gt;" in text
    assert "snaplink eval &#x27;a b&#x27;" in text
    for fact in ("24 pictures", result.about["prompts_sha256"], "a photo of a {}."):
        assert fact in text
    assert f"{result.metrics['acc1']:.1%}".replace("%", "\N{NO-BREAK SPACE}%") in text


def test_a_title_ends_no_attribute_and_any_script_is_drawn(tmp_path):
    names = ("日本", "class")
    odd = replace(data(2), name='a" onload="x', class_names=names, synonyms=(("a",), ("b",)))
    result = evaluate(odd, FakeEncoder())
    report.write_evaluation(tmp_path / "r.html", result)
    text, _ = page_of(tmp_path / "r.html")
    assert 'aria-label="fake on a&quot; onload=&quot;x' in text
    assert "日本</text>" in text
    report.write_plots(tmp_path / "plots", result)  # warnings are errors


def test_what_was_typed_copies_back_exactly(tmp_path):
    command = "snaplink eval a --template 'a 5 % cut of  a <b>{}</b>'"
    first = evaluate(data(), FakeEncoder(), command=command)
    report.write_evaluation(tmp_path / "r.html", first)
    text, _ = page_of(tmp_path / "r.html")
    assert f"<pre>{escape(command)}</pre>" in text
    report.write_comparison(tmp_path / "c.html", compare(first, first))
    text, _ = page_of(tmp_path / "c.html")
    assert f"<dt>A: command</dt><dd>{escape(command)}</dd>" in text
    assert "B is better on 0, A on 0, neither on 5" in text


def test_ids_of_the_plots_do_not_meet(tmp_path):
    report.write_evaluation(tmp_path / "r.html", evaluate(data(), FakeEncoder()))
    ids = re.findall(r' id="([^"]+)"', (tmp_path / "r.html").read_text(encoding="utf-8"))
    assert len(ids) == len(set(ids))


def test_names_stand_for_pictures_that_are_not_there(tmp_path):
    report.write_evaluation(tmp_path / "r.html", evaluate(data(), FakeEncoder()))
    text, parsed = page_of(tmp_path / "r.html")
    assert "img" not in parsed.counts
    assert 'class="missing">' in text


@pytest.mark.parametrize("task", ["multilabel", "retrieval"])
def test_other_tasks_have_their_page(tmp_path, task):
    result = evaluate(data(task=task), FakeEncoder())
    report.write_evaluation(tmp_path / "r.html", result)
    text, parsed = page_of(tmp_path / "r.html")
    assert parsed.open == []
    assert ("recall@10" if task == "retrieval" else "average precision") in text


def test_many_classes_are_shown_in_part(tmp_path):
    labelled = data(classes=24)
    names = tuple(f"class {i}" for i in range(400))
    many = Labelled("many", "classification", labelled.samples, names, tuple((n,) for n in names))
    result = evaluate(many, FakeEncoder())
    assert len(class_figures(result)) == 24
    report.write_evaluation(tmp_path / "r.html", result, many)
    assert "confused with each other most" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_plots_are_files_and_equal_results_make_equal_files(tmp_path):
    result = evaluate(data(), FakeEncoder())
    paths = report.write_plots(tmp_path / "a", result)
    names = ["calibration", "classes", "confusion"]
    assert sorted(p.name for p in paths) == [f"{n}.{e}" for n in names for e in ("png", "svg")]
    for path in paths:
        if path.suffix == ".svg":
            ET.parse(path)
        else:
            with Image.open(path) as picture:
                assert picture.width > 400
    again = report.write_plots(tmp_path / "b", result)
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]


def test_a_plot_in_a_page_takes_the_pages_colours():
    svg = plots(evaluate(data(), FakeEncoder()))[0].svg()
    assert "var(--accent)" in svg
    assert "var(--ink)" in svg
    assert not set(re.findall(r"#[0-9a-f]{6}", svg)) - {"#d9622b", "#2563d9"}


def test_a_comparison(tmp_path):
    first = evaluate(data(), FakeEncoder())
    second = evaluate(data(), FakeEncoder(), templates=["an icon of a {}"])
    report.write_comparison(tmp_path / "c.html", compare(first, second))
    text, parsed = page_of(tmp_path / "c.html")
    assert parsed.open == []
    assert "B less A" in text
    assert "&lt;script&gt;" in text


def test_few_shots(tmp_path):
    points = [
        Point("zero-shot", 0, (0.5,), 0.5, 0.4, 0.6),
        Point("wise-ft", 1, (0.5, 0.6), 0.55, 0.45, 0.65),
        Point("nearest-mean", 2, (0.3, 0.4), 0.35, 0.25, 0.45),
        Point("wise-ft", 2, (0.7, 0.8), 0.75, 0.65, 0.85),
    ]
    about = {
        **evaluate(
            data(), FakeEncoder(), command=f"snaplink fewshot a b --template '5 % {EVIL}'"
        ).about,
        "class_names": [EVIL, "b"],
        "seeds": 2,
        "test_pictures": 24,
    }
    report.write_fewshot(tmp_path / "f.html", points, "evil <b>set</b>", about)
    text, parsed = page_of(tmp_path / "f.html")
    assert parsed.open == []
    assert not {"script", "b"} & set(parsed.counts)
    assert f"<pre>{escape(about['command'])}</pre>" in text
    assert f"<pre>{escape(EVIL)}\nb</pre>" in text
    figures = re.findall(r'<div class="figure"><dt>(.+?)</dt><dd>(.+?)<small>(.+?)</small>', text)
    space = "\N{NO-BREAK SPACE}"
    assert figures == [  # the best of the most shots first
        ("wise-ft, 2 a class", f"75.0{space}%", f"65.0 to 85.0{space}%"),
        ("nearest-mean, 2 a class", f"35.0{space}%", f"25.0 to 45.0{space}%"),
        ("zero-shot", f"50.0{space}%", f"40.0 to 60.0{space}%"),
    ]
    assert text.count('<th scope="row">') == len(points)
    assert f"<td>50.0{space}%, 60.0{space}%</td>" in text
    assert "tip-adapter" not in text


def test_a_probe(tmp_path):
    labelled, encoder = data(), FakeEncoder()
    found = encode(labelled, encoder)
    outcome = linear_probe(found, found, encoder, sweep="readme", seed=2)
    result = outcome.result(labelled, "snaplink probe 'a <b>' a")
    report.write_evaluation(tmp_path / "p.html", result, labelled)
    text, parsed = page_of(tmp_path / "p.html")
    assert parsed.open == []
    assert not {"script", "b"} & set(parsed.counts)
    assert "<pre>snaplink probe &#x27;a &lt;b&gt;&#x27; a</pre>" in text
    for fact in ("readme, no search", "C is 1 / lambda = 0.316<", "nothing: it is fixed"):
        assert fact in text
    result.write(tmp_path / "p.json")
    assert read(tmp_path / "p.json").about == result.about


def test_a_curve(tmp_path):
    curves = [
        report.Curve("probe", [1, 2, 4], [0.2, 0.4, 0.6], [0.1, 0.3, 0.5], [0.3, 0.5, 0.7]),
        report.Curve("$ tip", [1, 2, 4], [0.3, 0.4, 0.5]),
    ]
    plot = report.curve_plot(
        curves, name="shots", title="t", x_label="shots", y_label="accuracy", log2=True
    )
    assert "$ tip" in plot.svg()
    assert [p.name for p in plot.write(tmp_path)] == ["shots.png", "shots.svg"]


def test_an_empty_row_of_a_confusion_matrix():
    plot = confusion_plot(np.array([[0, 0], [1, 2]]), ["a", "b"], name="c", title="t")
    assert "<svg" in plot.svg()


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"snaplink\[eval\]"):
        report.demand_matplotlib()
