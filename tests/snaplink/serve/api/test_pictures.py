"""The store's pictures over HTTP: re-encoded, remembered by clients, and nothing else at all."""

from __future__ import annotations

import io
import shutil

import pytest
from PIL import Image


@pytest.fixture
def hits(shown) -> dict[str, dict]:
    return {hit["key"]: hit for hit in shown.found(top=50)["data"]}


def test_thumbnails_and_pictures(shown, hits):
    original = (shown.folder / "owl.png").read_bytes()
    for path, side, kind in (
        (hits["owl.png"]["thumbnail"], 256, "image/webp"),
        (hits["owl.png"]["thumbnail"] + "?side=64", 64, "image/webp"),
        (hits["owl.png"]["picture"], 2048, "image/jpeg"),
    ):
        answer = shown.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in answer.headers["cache-control"]
        assert "private" in answer.headers["cache-control"]
        picture = Image.open(io.BytesIO(answer.content))
        assert max(picture.size) == min(side, max(Image.open(io.BytesIO(original)).size))
        assert answer.content != original


def test_what_a_client_has_is_not_sent_again(shown, hits):
    path = hits["owl.png"]["thumbnail"]
    first = shown.client.get(path)
    again = shown.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = shown.client.get(path + "?side=64", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_what_is_lost_is_told(shown, hits):
    answer = shown.client.get(hits["red.png"]["thumbnail"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "picture_changed")
    assert "deleted or moved" in answer.json()["error"]["message"]
    assert str(shown.folder) not in answer.text
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_what_was_put_in_a_pictures_place_is_not_served(shown, hits):
    path = shown.folder / "rocket.png"
    assert shown.client.get(hits["rocket.png"]["picture"]).status_code == 200
    try:
        path.unlink()
        path.symlink_to("/etc/passwd")
        for of in (hits["rocket.png"]["picture"], hits["rocket.png"]["thumbnail"]):
            answer = shown.client.get(of)
            assert answer.status_code == 410
            assert "root:" not in answer.text
    finally:
        path.unlink()
        shutil.copy(shown.folder / "cat.png", path)
    assert shown.client.get(hits["rocket.png"]["picture"]).status_code == 410


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fetc%2fpasswd", "..", "%2e%2e", "owl.png", "{}-99", "{}--1", "{}-1%00", "{}-1.png",
     "0123456789abcdef-1", "x" * 101, "{}-1%0d%0aSet-Cookie:a", "..%5c..%5cx", "%ff"],
)  # fmt: skip
def test_no_path_is_an_id(shown, name):
    snapshot = shown.found(top=1)["store"]["snapshot"]
    for ending in ("", "/thumbnail"):
        answer = shown.client.get(f"/v1/pictures/{name.format(snapshot)}{ending}")
        assert answer.status_code in (404, 410, 422), answer.text
        assert "root:" not in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("side", ["63", "513", "x", "-1", "1e9"])
def test_sides_that_are_not_made(shown, hits, side):
    answer = shown.client.get(hits["owl.png"]["thumbnail"], params={"side": side})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "side")
