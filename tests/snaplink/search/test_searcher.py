"""From words and pictures to hits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from snaplink.errors import ArgumentError, PictureError, StoreError
from snaplink.fake_encoder import FakeEncoder
from snaplink.search import Picture, Query, Searcher, Words
from snaplink.store import Store


@pytest.fixture
def words() -> list[str]:
    return ["cat", "dog", "red car", "12:30", "a^2"]


@pytest.fixture
def store(stored, encoder, words) -> Store:
    """Each row's vector is that of a word: what is found for a word is known."""
    return stored(encoder.encode_texts(words, normalize=True).numpy(), caption=words)


def keys(hits) -> list[str]:
    return [hit.row["caption"] for hit in hits]


def test_words_find_their_row(store, encoder, words):
    for word in words:
        hits = store.search(word, encoder=encoder)
        assert hits[0].row["caption"] == word
        assert hits[0].score == pytest.approx(1, abs=1e-3)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    first = store.search("cat", top=1, encoder=encoder)[0]
    assert (first.position, first.key, first.source) == (0, "0000.png", "/pictures/0000.png")
    assert first.row["width"] == 100
    assert "image_embedding" not in first.row


def test_weights_and_what_is_avoided(store, encoder):
    searcher = Searcher(store, encoder)
    both = searcher.search(Query(Words("cat"), Words("dog", 0.5)), top=2)
    assert keys(both) == ["cat", "dog"]
    assert keys(searcher.search(Query(Words("cat", 0.5), Words("dog")), top=2)) == ["dog", "cat"]
    avoiding = searcher.search(Query(Words("cat"), Words("dog", -1)))
    assert keys(avoiding)[0] == "cat"
    assert keys(avoiding)[-1] == "dog"
    cat, dog = encoder.encode_texts(["cat", "dog"], normalize=True)
    mixed = (cat - dog) / torch.linalg.vector_norm(cat - dog)
    assert avoiding[0].score == pytest.approx(float(mixed @ cat), abs=1e-3)


def test_only_what_is_avoided_and_whole_numbers_as_weights(store, encoder):
    assert keys(store.search(Query(Words("dog", -1)), top=40, encoder=encoder))[-1] == "dog"
    assert keys(store.search(Query(Words("dog", 2)), top=1, encoder=encoder)) == ["dog"]


def test_no_score_is_more_than_that_of_the_same(stored, drawn, encoder):
    vectors = drawn(200)
    store = stored(vectors)
    scores = [store.search(row, top=1, encoder=encoder)[0].score for row in vectors]
    assert max(scores) == 1.0


def test_an_empty_condition_is_no_condition(store, encoder):
    with pytest.raises(ArgumentError, match="'' is no condition"):
        store.search("cat", where="", encoder=encoder)


def test_pictures_are_prepared_as_the_stores_were(stored, encoder, tmp_path):
    """Sideways in the file, upright by its EXIF orientation, and so in the store."""
    upright = Image.new("RGB", (8, 8))
    upright.putpixel((0, 0), (255, 0, 0))
    store = stored(encoder.encode_pictures([upright], normalize=True).numpy())
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "turned.png", exif=exif)
    [hit] = store.search(tmp_path / "turned.png", encoder=encoder)
    assert hit.score == pytest.approx(1, abs=1e-3)
    [hit] = store.search(turned, encoder=encoder)
    assert hit.score < 0.9


def test_bulk_preprocessing_is_used_for_a_store_that_was_made_with_it(stored, encoder, made_by):
    from dataclasses import replace

    from snaplink.search.query import direction

    class Bulk:
        called = 0

        def __call__(self, picture):
            self.called += 1
            return torch.zeros(3, 8, 8, dtype=torch.uint8)

        def normalize(self, pixels):
            return pixels.float()

    encoder.bulk = bulk = Bulk()
    picture = Image.new("RGB", (9, 9))
    direction(picture, made_by, lambda: encoder)
    assert bulk.called == 0
    in_bulk = replace(made_by, preprocessing={**made_by.preprocessing, "path": "bulk"})
    direction(picture, in_bulk, lambda: encoder)
    assert bulk.called == 1


def test_a_vector_needs_no_model(store, encoder):
    vector = encoder.encode_texts(["dog"])[0]
    for given in (vector, vector.numpy() * 100, vector.numpy().astype(np.float64)):
        assert keys(store.search(given, top=1)) == ["dog"]
    with pytest.raises(ArgumentError, match="a vector of 3 numbers is asked for"):
        store.search(np.ones(3))
    with pytest.raises(ArgumentError, match="no direction"):
        store.search(np.zeros(16))
    with pytest.raises(ArgumentError, match="no direction"):
        store.search(np.full(16, np.nan))


def test_the_model_is_loaded_once_and_only_when_needed(store, encoder):
    loads = []

    def load():
        loads.append(1)
        return encoder

    searcher = Searcher(store, load)
    searcher.search(np.ones(16))
    assert not loads
    searcher.search("cat")
    searcher.search("dog")
    assert len(loads) == 1


def test_threshold_top_and_where(store, encoder):
    assert keys(store.search("cat", threshold=0.99, encoder=encoder)) == ["cat"]
    assert store.search("cow", threshold=0.99, encoder=encoder) == []
    assert len(store.search("cat", top=3, encoder=encoder)) == 3
    assert len(store.search("cat", top=300, encoder=encoder)) == 5
    chosen = store.search("cat", where="caption in ('dog', '12:30')", encoder=encoder)
    assert sorted(keys(chosen)) == ["12:30", "dog"]
    assert store.search("cat", where="width > 1000", encoder=encoder) == []
    with pytest.raises(ArgumentError, match="at least one"):
        store.search("cat", top=0, encoder=encoder)


def test_dedupe_keeps_the_best_and_fills_up(stored, encoder):
    """Ten near copies of one, then others: asked for 3, 3 different ones come."""
    base = encoder.encode_texts(["cat", "dog", "cow"], normalize=True).numpy()
    noise = np.random.default_rng(0).standard_normal((100, 16)) * 0.01
    copies = base[:1] + noise
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    store = stored(np.concatenate([copies, base[1:]]))
    hits = store.search("cat", top=3, dedupe=0.95, encoder=encoder)
    assert len(hits) == 3
    assert hits[0].position == store.search("cat", top=1, encoder=encoder)[0].position
    assert {hit.position for hit in hits[1:]} == {100, 101}
    assert len(store.search("cat", top=50, dedupe=0.95, encoder=encoder)) == 3


def test_captions_are_searched_where_there_are_any(stored, encoder, drawn):
    text = encoder.encode_texts(["cat", "dog"], normalize=True).numpy()
    text[1] = np.nan
    store = stored(drawn(2), text)
    hits = store.search("cat", modality="text", encoder=encoder)
    assert [hit.position for hit in hits] == [0]
    assert len(store.search("cat", encoder=encoder)) == 2
    with pytest.raises(ArgumentError, match="no text vectors, only image"):
        stored(drawn(2), name="other").search("cat", modality="text", encoder=encoder)


def test_raw_vectors_are_compared_by_their_angle(stored, encoder, made_by):
    from dataclasses import replace

    raw = encoder.encode_texts(["cat", "dog"]).numpy() * np.array([[0.1], [50]])
    store = stored(raw, by=replace(made_by, normalized=False))
    hits = store.search("cat", encoder=encoder)
    assert [hit.position for hit in hits] == [0, 1]
    assert hits[0].score == pytest.approx(1, abs=1e-3)


def test_another_models_store_is_refused(store):
    with pytest.raises(StoreError, match=r"another model: weights .*, not"):
        store.search("cat", encoder=FakeEncoder(dim=16, resolution=4))


def test_a_model_that_moved_is_said_to_have(store):
    with pytest.raises(StoreError, match=r"'fake', which cannot be loaded: .*--model") as caught:
        store.search("cat")
    assert "model=" in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "nothing to search for"),
        ([Words("")], "empty"),
        ([Words(" \n")], "empty"),
        ([Words("cat", 0)], "a weight of 0"),
        ([Words("cat", float("nan"))], "a weight of nan"),
        ([Words("cat", float("inf"))], "a weight of inf"),
    ],
)
def test_queries_that_mean_nothing(parts, message):
    with pytest.raises(ArgumentError, match=message):
        Query(*parts)


def test_parts_that_cancel_out(store, encoder):
    with pytest.raises(ArgumentError, match="cancel out"):
        store.search(Query(Words("cat"), Words("cat", -1)), encoder=encoder)


def test_a_picture_that_cannot_be_used(store, encoder, tmp_path):
    with pytest.raises(PictureError, match="no such file"):
        store.search(Query(Words("cat"), Picture(tmp_path / "no.png")), encoder=encoder)


def test_an_empty_store_has_no_hits(stored, encoder):
    store = stored(np.empty((0, 16)))
    assert store.search("cat", encoder=encoder) == []
    assert store.search("cat", where="width > 3", dedupe=0.9, encoder=encoder) == []


def test_dedupe_of_many_is_what_comparing_one_by_one_gives(stored, drawn):
    rows = drawn(900, seed=5)
    rows[300:600] = rows[:300]
    searcher = Searcher(stored(rows))
    vector = drawn(1, seed=6)[0].astype(np.float32)
    vector /= np.linalg.norm(vector)
    exact = rows.astype(np.float32) / np.linalg.norm(rows.astype(np.float32), axis=1)[:, None]
    for limit, top in ((0.95, 900), (0.6, 900), (0.6, 40)):
        kept: list[int] = []
        for position in searcher.rank(vector, 900).positions.tolist():
            if len(kept) < top and all(exact[position] @ exact[other] < limit for other in kept):
                kept.append(position)
        assert searcher.rank(vector, top, dedupe=limit).positions.tolist() == kept
