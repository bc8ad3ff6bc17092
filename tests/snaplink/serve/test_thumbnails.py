"""Small copies of pictures: as people expect them, made once, and never of something else."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest
from PIL import Image, features

from snaplink.errors import PictureError
from snaplink.serve import thumbnails, urls
from snaplink.serve.errors import ApiError, Overloaded
from snaplink.serve.thumbnails import Pictures


def row(path: Path, **others):
    status = path.stat()
    stamp = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": None}
    return {"source": str(path), **stamp, **others}


def made(of, side=256, **options):
    async def main():
        pictures = Pictures(**{"fetch_urls": False, "limit": 10**6, "max_pixels": 10**6, **options})
        try:
            content, kind = await pictures.within(of, side)
        finally:
            pictures.close()
        return Image.open(io.BytesIO(content)), kind

    return asyncio.run(main())


def refused(of, **options) -> ApiError:
    with pytest.raises(ApiError) as caught:
        made(of, **options)
    return caught.value


def near(picture: Image.Image, place, colour) -> bool:
    pixel = picture.convert("RGB").getpixel(place)
    return all(abs(one - other) < 25 for one, other in zip(pixel, colour, strict=True))


@pytest.fixture
def save(tmp_path):
    def save(picture: Image.Image, name: str, **options):
        picture.save(tmp_path / name, **options)
        return row(tmp_path / name)

    return save


@pytest.mark.parametrize(
    ("side", "kind", "size"),
    [
        (64, "image/webp", (64, 32)),
        (512, "image/webp", (400, 200)),
        (2048, "image/jpeg", (400, 200)),
    ],
)
def test_within_a_square_and_never_enlarged(save, side, kind, size):
    picture, media_type = made(save(Image.new("RGB", (400, 200), "red"), "a.png"), side)
    assert (picture.size, media_type) == (size, kind)
    assert near(picture, (10, 10), (255, 0, 0))


def test_a_photograph_is_upright(save):
    photograph = Image.new("RGB", (80, 40), "blue")
    photograph.paste("red", (0, 0, 10, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "a maker's name"
    picture, _ = made(save(photograph, "a.jpg", exif=exif, quality=95))
    assert picture.size == (40, 80)
    assert near(picture, (20, 3), (255, 0, 0))
    assert not picture.getexif()


def test_what_is_transparent_lies_on_white(save):
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    clear.paste((0, 255, 0, 255), (0, 0, 20, 40))
    for mode in ("RGBA", "P", "LA"):
        picture, _ = made(save(clear.convert(mode), f"{mode}.png"))
        assert near(picture, (35, 20), (255, 255, 255)), mode
    picture, _ = made(save(clear, "a.png"))
    assert near(picture, (5, 20), (0, 255, 0))


def test_unusual_pixels(save):
    grey = Image.new("I;16", (40, 40), 0x8000)
    assert near(made(save(grey, "16.png"))[0], (5, 5), (128, 128, 128))
    assert near(made(save(grey, "16.tif"))[0], (5, 5), (128, 128, 128))
    cmyk = Image.new("RGB", (40, 40), (200, 30, 30)).convert("CMYK")
    assert near(made(save(cmyk, "cmyk.jpg"))[0], (5, 5), (200, 30, 30))
    assert near(made(save(cmyk, "cmyk.tif"))[0], (5, 5), (200, 30, 30))
    assert near(made(save(Image.new("1", (40, 40), 1), "1.png"))[0], (5, 5), (255, 255, 255))


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_of_what_moves_the_first_frame_is_shown(save, ending):
    if ending == "webp" and not features.check("webp"):
        pytest.skip("this Pillow writes no WebP")
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    of = save(frames[0], f"a.{ending}", save_all=True, append_images=frames[1:])
    picture, _ = made(of)
    assert near(picture, (5, 5), (255, 0, 0))
    assert getattr(picture, "n_frames", 1) == 1


def test_a_wide_gamut_keeps_its_profile_if_it_is_small(save):
    red = Image.new("RGB", (40, 40), "red")
    assert made(save(red, "s.png", icc_profile=b"x" * 500))[0].info["icc_profile"] == b"x" * 500
    assert "icc_profile" not in made(save(red, "l.png", icc_profile=b"x" * 50_000))[0].info


def test_made_once_and_shown_only_while_the_file_is_the_same(save, tmp_path, monkeypatch):
    of = save(Image.new("RGB", (40, 40), "red"), "a.png")
    decoded = []
    monkeypatch.setattr(
        thumbnails, "encoded", lambda picture, side: decoded.append(side) or b"made"
    )

    async def main():
        pictures = Pictures(fetch_urls=False, limit=1, max_pixels=1)
        try:
            for _ in range(3):
                assert await pictures.within(of, 64) == (b"made", "image/webp")
            await pictures.within(of, 65)
            os.utime(of["source"], ns=(0, 1))
            with pytest.raises(ApiError) as caught:
                await pictures.within(of, 64)
            return caught.value.status
        finally:
            pictures.close()

    assert asyncio.run(main()) == 410
    assert decoded == [64, 65]


def test_a_file_that_is_no_picture_any_more_is_told_of(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("root:x:0:0")
    error = refused(row(path))
    assert (error.status, error.code) == (410, "picture_unreadable")
    assert "root" not in error.message.replace("begins with b'root:x:0:0'", "")


def test_other_servers_are_asked_only_if_that_was_said(monkeypatch):
    of = {"source": "http://example.org/a.png", "size": None, "mtime_ns": None, "sha256": None}
    error = refused(of)
    assert (error.status, error.code) == (404, "urls_not_fetched")
    assert "start it with --fetch-urls" in error.message

    asked = []
    picture = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(picture, "PNG")

    async def fetch(url, *, limit, name):
        asked.append((url, limit))
        return picture.getvalue()

    monkeypatch.setattr(urls, "fetch", fetch)
    assert near(made(of, fetch_urls=True, limit=1234)[0], (5, 5), (255, 0, 0))
    assert asked == [("http://example.org/a.png", 1234)]
    other = {**of, "sha256": "0" * 64}
    assert refused(other, fetch_urls=True).status == 410
    assert refused(of, fetch_urls=True, max_pixels=100).code == "picture_unreadable"
    picture.write(b"x" * 10)
    assert refused(of, fetch_urls=True, limit=10).code == "picture_unreachable"

    async def html(url, *, limit, name):
        return b"<html>"

    monkeypatch.setattr(urls, "fetch", html)
    assert "an HTML page" in refused(of, fetch_urls=True).message

    async def nothing(url, *, limit, name):
        raise PictureError(name, "the server there answers 500")

    monkeypatch.setattr(urls, "fetch", nothing)
    assert "the server there answers 500" in refused(of, fetch_urls=True).message


def test_no_more_than_some_wait_at_once(save, monkeypatch):
    of = save(Image.new("RGB", (40, 40), "red"), "a.png")
    monkeypatch.setattr(thumbnails, "_WAITING", 2)

    async def main():
        pictures = Pictures(fetch_urls=False, limit=1, max_pixels=1)
        try:
            many = [pictures.within(of, 64 + number) for number in range(40)]
            first = await asyncio.gather(*many, return_exceptions=True)
            return first, await pictures.within(of, 64)
        finally:
            pictures.close()

    first, later = asyncio.run(main())
    assert {type(each) for each in first} == {tuple, Overloaded}
    assert later[1] == "image/webp"
