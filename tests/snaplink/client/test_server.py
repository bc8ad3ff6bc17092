"""Both clients against a real server, which answers what snaplink answers without one."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from snaplink import AsyncClient, Client, Encoder, ZeroShotClassifier, images, load_encoder
from snaplink.errors import (
    ArgumentError,
    PictureError,
    RefusedError,
    TokenError,
    UnreachableError,
)
from snaplink.search import Picture, Query, Words
from snaplink.store import Store

EXAMPLES = Path(__file__).parents[3] / "examples"
PICTURES = sorted(EXAMPLES.glob("*.png"))
OWL = EXAMPLES / "owl.png"

Connect = Callable[..., Any]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, waiting is waiting."""
    monkeypatch.delenv("SNAPLINK_TOKEN", raising=False)


@pytest.fixture
def client(connect: Connect, served) -> Any:
    return connect(served.url, served.token)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("tiny", "cpu")


def encoded(encoder: Encoder, *pictures: Path, upright: bool = True) -> np.ndarray:
    """As `snaplink embed` encodes them, and so did whoever made the store: the fast way."""
    decoded = [images.decode(picture, upright=upright) for picture in pictures]
    pixels = torch.stack([encoder.bulk(picture) for picture in decoded])
    return encoder.encode_pixels(pixels, normalize=True).numpy()


def assert_equal(vectors: np.ndarray, expected: np.ndarray) -> None:
    """As far as the sizes of batches, which others choose here, leave float32's last digits."""
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=2e-6)


def test_texts_are_embedded_as_without_a_server(client, encoder: Encoder):
    texts = ["an owl", "a fire engine", "héllo ☃", "data:image/png;base64,a text", "an owl"]
    texts += [f"picture {number}" for number in range(70)]
    expected = encoder.encode_texts(texts, normalize=True).numpy()
    assert_equal(client.embed_texts(texts), expected)
    assert_equal(client.embed_texts("an owl"), expected[:1])


def test_pictures_are_embedded_as_without_a_server(client, encoder: Encoder):
    direct = encoded(encoder, *PICTURES)
    assert len(direct) == 12
    assert_equal(client.embed_pictures(PICTURES), direct)
    assert_equal(client.embed_pictures(path.read_bytes() for path in PICTURES), direct)


def test_a_pillow_is_embedded_as_its_file_is(client, encoder: Encoder):
    for path in PICTURES[:3]:
        with Image.open(path) as picture:
            assert_equal(client.embed_pictures(picture), encoded(encoder, path))


def test_a_photograph_is_turned_upright(client, encoder: Encoder, tmp_path: Path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(OWL) as picture:
        picture.convert("RGB").save(path, exif=exif)
    upright, lying = (encoded(encoder, path, upright=turned) for turned in (True, False))
    assert_equal(client.embed_pictures(path), upright)
    assert abs(upright - lying).max() > 0.01


def test_nothing_has_the_shape_of_the_model(client, encoder: Encoder):
    assert client.embed_texts([]).shape == (0, encoder.dim)


def test_classification_is_that_without_a_server(client, encoder: Encoder):
    labels, templates = ["owl", "fire engine", "banana"], ["a drawing of a {}", "a {c}"]
    classifier = ZeroShotClassifier(encoder, labels, templates)
    expected = classifier.probabilities(torch.from_numpy(encoded(encoder, *PICTURES)))
    found = client.classify(PICTURES, labels, templates)
    assert [each.picture for each in found] == [str(path) for path in PICTURES]
    for ours, row in zip(found, expected, strict=True):
        scores = dict(zip(labels, row.tolist(), strict=True))
        assert {each.label: each.score for each in ours.scores} == pytest.approx(scores, abs=1e-5)
        assert ours.scores == tuple(sorted(ours.scores, key=lambda each: -each.score))


def test_only_the_best_labels_come_where_that_is_asked_for(client):
    labels = ["banana", "owl", "fire engine", "duck"]
    (all_,) = client.classify(OWL, labels)
    (best,) = client.classify(OWL, labels, top=2)
    assert [each.label for each in best.scores] == [each.label for each in all_.scores[:2]]
    assert best.score == pytest.approx(all_.score, abs=1e-5)


def keys(hits) -> list[str]:
    return [hit.key for hit in hits]


def test_hits_are_those_of_the_store(client, served, encoder: Encoder):
    query = Query(
        Words("an animal"), Words("something red", 0.5), Words("an owl", -1), Picture(OWL, 1)
    )
    expected = Store.open(served.store).search(query, top=12, encoder=encoder)
    found = client.search(
        "an animal", not_="an owl", also={"something red": 0.5}, image=OWL, top=12
    )
    assert keys(found) == keys(expected)
    scores = [hit.score for hit in expected]
    assert [hit.score for hit in found] == pytest.approx(scores, abs=1e-4)
    assert (found.total, found.rows, found.more) == (12, 12, False)
    assert found.model == "tiny"


def test_words_find_what_they_say_and_hits_find_their_like(client):
    owl = client.search("a drawing of an owl", top=1)[0]
    assert owl.key.endswith("owl.png")
    like = client.search(like=owl, top=3)
    assert like[0].id == owl.id
    assert like[0].score == pytest.approx(1, abs=1e-3)
    assert keys(client.search(like=[owl.id], top=3)) == keys(like)
    assert keys(client.search(image=OWL, top=3)) == keys(like)


def test_conditions_narrow_a_search_down(client):
    found = client.search("an animal", where="key like '%owl.png' or key like '%cat.png'")
    assert sorted(Path(key).name for key in keys(found)) == ["cat.png", "owl.png"]
    assert found.total == 2
    best = client.search("an animal", threshold=found[0].score - 1e-5)
    assert found[0].id in [hit.id for hit in best]
    assert min(hit.score for hit in best) >= found[0].score - 1e-5 > found[1].score


def test_pages_bring_every_row_once(client):
    pages = list(client.pages(client.search("an animal", top=5)))
    assert [len(page) for page in pages] == [5, 5, 2]
    assert len({hit.key for page in pages for hit in page}) == 12
    ranked = [hit.score for page in pages for hit in page]
    assert ranked == sorted(ranked, reverse=True)


def test_without_a_question_the_store_is_browsed_in_its_order(client, served):
    browsed = client.search(top=12)
    assert [hit.position for hit in browsed] == list(range(12))
    assert {hit.score for hit in browsed} == {None}
    table = Store.open(served.store).take(range(12), ["key"])
    assert keys(browsed) == table.column("key").to_pylist()


def test_model_and_store_are_described(client, served, encoder: Encoder):
    (model,) = client.models()
    assert (model.id, model.dim, model.resolution) == ("tiny", encoder.dim, encoder.resolution)
    assert model.weights_sha256 == encoder.weights_sha256()
    store = client.store()
    assert (store.name, store.rows, store.demo) == ("examples.store", 12, False)
    assert (store.dim, store.modalities) == (encoder.dim, ("image",))
    columns = {column.name: column for column in store.columns}
    with Image.open(OWL) as owl:
        assert columns["width"].largest >= owl.width
    assert columns["width"].type == "number"


def test_pictures_of_the_store_come_as_files(client):
    owl = client.search("a drawing of an owl", top=1)[0]
    with Image.open(OWL) as original, Image.open(io.BytesIO(client.picture(owl))) as picture:
        assert picture.size == original.size
        assert (owl.width, owl.height) == original.size
    with Image.open(io.BytesIO(client.thumbnail(owl.id, 64))) as small:
        assert max(small.size) == 64


def test_a_server_that_is_there_is_ready(client):
    assert client.ready()
    client.wait_until_ready(5)


def test_who_shows_no_token_or_another_is_told(connect: Connect, served):
    for token in (None, "another"):
        stranger = connect(served.url, token)
        assert stranger.ready()  # as a load balancer asks, which has no token
        with pytest.raises(TokenError, match="SNAPLINK_TOKEN") as caught:
            stranger.embed_texts("an owl")
        assert caught.value.status == 401
        assert served.token not in str(caught.value)


def test_the_printed_address_is_enough(connect: Connect, served):
    assert len(connect(f"{served.url}#token={served.token}").models()) == 1


def test_another_model_does_not_answer(connect: Connect, served):
    client = connect(served.url, served.token, model="ViT-L/14")
    for ask in (
        lambda: client.embed_texts("an owl"),
        lambda: client.classify(OWL, ["owl", "cat"]),
        lambda: client.search("an owl"),
    ):
        with pytest.raises(RefusedError, match=r"'ViT-L/14' is not served here: 'tiny' is") as e:
            ask()
        assert (e.value.status, e.value.code) == (404, "model_not_found")


def test_who_is_not_there_is_named(connect: Connect, served):
    nowhere = served.url.replace("127.0.0.1", "127.0.0.2")
    assert not connect(nowhere).ready()
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.2"):
        connect(nowhere, retries=0).models()


def test_text_that_is_too_long_is_named_or_cut(client, encoder: Encoder):
    long = "owl " * 200
    with pytest.raises(RefusedError, match=r"^text 65: .*77 tokens") as caught:
        client.embed_texts(["short"] * 65 + [long])
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(RefusedError, match=r"^text 0: .*77 tokens"):
        client.embed_texts(long)
    expected = encoder.encode_texts([long], normalize=True, truncate=True).numpy()
    assert_equal(client.embed_texts(long, truncate=True), expected)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"%PDF-1.7 a document", "a PDF"),
        (OWL.read_bytes()[:900], "trunc|damaged|broken|cut"),
    ],
    ids=["empty", "another format", "cut"],
)
def test_a_picture_that_is_refused_is_named(client, tmp_path: Path, content: bytes, says: str):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    for ask in (
        lambda: client.embed_pictures([OWL, path]),
        lambda: client.classify([OWL, path], ["owl", "cat"]),
    ):
        with pytest.raises(PictureError, match=rf"(?i){says}") as caught:
            ask()
        assert caught.value.picture == str(path)
        assert "[1]" not in caught.value.problem
    with pytest.raises(PictureError, match=rf"(?i)^the picture to search by: .*({says})"):
        client.search("an owl", image=path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"where": "no_such_column = 1"}, "no_such_column"),
        ({"where": "1 = 1; drop table rows"}, "no condition"),
        ({"where": "key in (select 1)"}, "subquery"),
        ({"like": "0000-1"}, "search again|no id"),
        ({"top": 0}, "top"),
        ({"words": "an owl", "modality": "text"}, "no text vectors"),
        ({"words": " "}, "empty"),
        ({"also": {"an owl": 0.0}}, "weight"),
        ({"words": "an owl", "not_": "an owl"}, "cancel out"),
    ],
)
def test_a_search_that_cannot_be_says_why(client, wrong: dict[str, Any], says: str):
    with pytest.raises(RefusedError, match=rf"(?i){says}") as caught:
        client.search(**wrong)
    assert 400 <= (caught.value.status or 0) < 500


def test_labels_that_cannot_be_are_refused(client):
    with pytest.raises(RefusedError, match="given twice"):
        client.classify(OWL, ["owl", "Owl"])
    with pytest.raises(RefusedError, match="labels"):
        client.classify(OWL, ["owl"])
    with pytest.raises(RefusedError, match=r"has no \{\}"):
        client.classify(OWL, ["owl", "cat"], ["a drawing"])
    with pytest.raises(ArgumentError, match="one text"):
        client.classify(OWL, "owl")


def test_no_address_is_fetched_by_a_server_that_was_not_told_to(client):
    with pytest.raises(PictureError, match="fetches none"):
        client.embed_pictures("https://example.com/owl.png")


def test_many_calls_at_once_each_get_their_own(served, encoder: Encoder):
    texts = [f"a drawing of {number} owls" for number in range(64)]
    expected = encoder.encode_texts(texts, normalize=True).numpy()

    async def together() -> list[np.ndarray]:
        async with AsyncClient(served.url, served.token) as client:
            return await asyncio.gather(*(client.embed_texts(text) for text in texts))

    assert_equal(np.concatenate(asyncio.run(together())), expected)


def test_a_client_may_be_used_from_several_threads(served, encoder: Encoder):
    from concurrent.futures import ThreadPoolExecutor

    texts = [f"a drawing of {number} cats" for number in range(32)]
    expected = encoder.encode_texts(texts, normalize=True).numpy()
    with Client(served.url, served.token) as client, ThreadPoolExecutor(8) as threads:
        assert_equal(np.concatenate(list(threads.map(client.embed_texts, texts))), expected)
