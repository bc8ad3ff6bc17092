"""The paper's prompts: as many as it has, and the very same."""

from __future__ import annotations

import hashlib
import json

import pytest

from snaplink import prompt_sets
from snaplink.errors import ArgumentError

# Templates and classes of each set, as openai/CLIP publishes them.
PUBLISHED = {
    "birdsnap": (1, 0), "caltech101": (34, 102), "cars": (8, 196), "cifar10": (18, 10),
    "cifar100": (18, 100), "clevr_count_all": (1, 8), "country211": (5, 211), "dtd": (8, 47),
    "eurosat": (3, 10), "fer2013": (6, 7), "fgvc_aircraft": (2, 100), "flowers": (1, 102),
    "food101": (1, 101), "gtsrb": (3, 43), "hateful_memes": (1, 2), "imagenet1k": (80, 1000),
    "imagenet1k_7": (7, 1000), "kinetics700": (28, 0), "kitti_closest_vehicle_distance": (1, 4),
    "mnist": (1, 10), "pcam": (1, 2), "pets": (1, 37), "renderedsst2": (1, 2),
    "resisc45": (18, 45), "stl10": (2, 10), "sun397": (2, 397), "ucf101": (48, 101),
    "voc2007": (1, 20),
}  # fmt: skip

# Of the lists as JSON: a change must be meant.
SHA256 = {
    "templates": "95e0b51d87b6db4074f54ca08dbe323956e11e9c2e799d98637f8fc584a52608",
    "classes": "d30cfcc15deb3a78a099729e5140a5b070e76ca6ef6d8f41dd4f63a569827ea9",
}


def test_every_set_of_the_paper_has_as_many_as_were_published():
    sets = {name: prompt_sets.get(name) for name in prompt_sets.names()}
    assert {n: (len(s.templates), len(s.classes)) for n, s in sets.items()} == PUBLISHED


@pytest.mark.parametrize("field", ["templates", "classes"])
def test_no_prompt_has_changed(field):
    lists = {name: getattr(prompt_sets.get(name), field) for name in prompt_sets.names()}
    text = json.dumps(lists, ensure_ascii=False, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == SHA256[field]


def test_every_template_has_a_place_and_none_comes_twice():
    for name in prompt_sets.names():
        templates = prompt_sets.get(name).templates
        assert all(template.count("{}") == 1 for template in templates), name
        assert len(set(templates)) == len(templates), name


def test_the_seven_are_among_the_eighty():
    assert set(prompt_sets.get("imagenet1k_7").templates) < set(
        prompt_sets.get("imagenet1k").templates
    )


def test_what_is_special():
    assert prompt_sets.get("fer2013").classes[3] == ("happy", "smiling")
    assert prompt_sets.get("ucf101").templates[4] == "a photo of the person {}."
    classes = prompt_sets.get("ImageNet").classes
    assert sorted({c for c in classes if classes.count(c) > 1}) == ["missile", "sunglasses"]


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("ImageNet", "imagenet1k"), ("StanfordCars", "cars"), ("oxford-flowers-102", "flowers"),
     ("PascalVOC2007", "voc2007"), ("CIFAR10", "cifar10"), ("SST2", "renderedsst2")],
)  # fmt: skip
def test_other_spellings(spelling, name):
    assert prompt_sets.get(spelling).name == name


def test_files_come_before_built_in_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").write_text("\ufeffa {}\n\nthe {}\n", encoding="utf-8")
    assert prompt_sets.templates("mnist") == ["a {}", "the {}"]
    assert not prompt_sets.is_built_in("mnist")
    assert prompt_sets.is_built_in("cifar10")


def test_json_files(tmp_path):
    def put(value):
        path = tmp_path / "f.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)

    assert prompt_sets.templates(put(["a {c}"])) == ["a {c}"]
    assert prompt_sets.templates(put({"pets": ["a {c}"], "x": ["b {}"]}), "pets") == ["a {c}"]
    assert prompt_sets.templates(put({"cat": ["soft", "small"]})) == {"cat": ["soft", "small"]}
    assert prompt_sets.class_names(put({"n1": "cat", "n2": ["dog", "hound"]})) == {
        "n1": "cat", "n2": ["dog", "hound"],
    }  # fmt: skip
    for bad in ([1], {"a": 2}):
        with pytest.raises(ArgumentError):
            prompt_sets.templates(put(bad))
        with pytest.raises(ArgumentError, match="a class name is no text"):
            prompt_sets.class_names(put(bad))


@pytest.mark.parametrize("read", [prompt_sets.templates, prompt_sets.class_names])
def test_what_cannot_be_read(read, tmp_path):
    with pytest.raises(ArgumentError, match=r"neither a file.*nor a built-in set, which are birds"):
        read("nothing")
    (tmp_path / "f.json").write_text("{", encoding="utf-8")
    with pytest.raises(ArgumentError, match="is no JSON"):
        read(str(tmp_path / "f.json"))
    (tmp_path / "f.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ArgumentError, match="not text in UTF-8"):
        read(str(tmp_path / "f.txt"))
    (tmp_path / "f.txt").write_bytes(b"\n")
    with pytest.raises(ArgumentError, match="holds no"):
        read(str(tmp_path / "f.txt"))


def test_a_set_without_class_names_says_so():
    with pytest.raises(ArgumentError, match="Birdsnap has prompts here, but no list"):
        prompt_sets.class_names("birdsnap")
