"""What a request wants embedded, in each of the forms that clients write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clip.simple_tokenizer import basic_clean

from . import urls
from .errors import ApiError
from .settings import Settings
from .uploads import check_picture, from_base64, from_data_url, is_data_url

__all__ = [
    "DOT",
    "Input",
    "InputForm",
    "Link",
    "Message",
    "check_count",
    "check_length",
    "check_text",
    "contents_of",
    "from_input",
    "from_messages",
    "from_picture",
]

DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
"""A picture of one pixel, for the document's examples."""

_TOKENS = (
    "token ids are another model's: send the texts themselves (in langchain: "
    "OpenAIEmbeddings(check_embedding_ctx_length=False))"
)

_ALL_TEXTS = 500_000
"""Characters of all texts of a request."""
_LETTERS, _DIGITS, _SIGNS = 200, 800, 100
"""More are no word, and the time to cut one into tokens grows with its length's square. Digits may
stand in an HTML entity, and Python reads no numbers of thousands of them."""
_ENDLESS = re.compile(
    rf"[^\W\d_]{{{_LETTERS + 1}}}|\d{{{_DIGITS + 1}}}|(?:[^\w\s]|_){{{_SIGNS + 1}}}"
)
_NO_SPACE = re.compile(rf"[^ \t\r\n]{{{_SIGNS + 1}}}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TextPart(_Part):
    type: Literal["text"]
    text: str = Field(min_length=1)


class ImageUrl(BaseModel):
    model_config = ConfigDict(strict=True)

    url: str = Field(description="A data URL.", examples=["data:image/png;base64,iVBORw0KGgo…"])
    detail: str | None = Field(None, description="Taken, and without effect.")


class ImagePart(_Part):
    type: Literal["image_url"]
    image_url: ImageUrl | str


class ShortText(_Part):
    text: str = Field(min_length=1)


class ShortImage(_Part):
    image: str = Field(description="A data URL, or base64 alone.")


Part = TextPart | ImagePart | ShortText | ShortImage
InputForm = str | list[str | Part] | Part
"""The form of `input`, for the document: `from_input` reads it."""


class Message(BaseModel):
    """A message as in chats, of one text or picture."""

    model_config = ConfigDict(strict=True)

    role: str = "user"
    content: str | list[TextPart | ImagePart]


@dataclass(frozen=True)
class Link:
    """A picture that is elsewhere."""

    url: str


Input = str | bytes | Link
"""A text; a picture's bytes; or where a picture is."""


def from_input(value: object, settings: Settings, name: str = "input") -> list[Input]:
    """The inputs that `input` of a request has, or another field, which `name` then names.

    Raises:
        ApiError: one is none, or there are too many.
        PictureError: one is no picture.
    """
    if isinstance(value, (str, dict)):
        return [_one(value, name, settings)]
    if not isinstance(value, list):
        raise ApiError(422, f"{name} is to be a text, a picture, or a list of these", name)
    if not value:
        raise ApiError(400, f"{name} is an empty list: send at least one text or picture", name)
    if isinstance(value[0], (int, list)):
        raise ApiError(400, f"{name} has lists of numbers, and {_TOKENS}", name)
    check_count(len(value), settings, name)
    inputs: list[Input] = []
    length = 0
    for number, item in enumerate(value):
        inputs.append(_one(item, f"{name}[{number}]", settings))
        length += len(inputs[-1]) if isinstance(inputs[-1], str) else 0
        check_length(length, name)
    return inputs


def from_messages(messages: Sequence[Message], settings: Settings) -> list[Input]:
    """The one input that messages have, as they are sent to chat models."""
    parts: list[object] = []
    for message in messages:
        content = message.content
        parts += [content] if isinstance(content, str) else [part.model_dump() for part in content]
    if len(parts) != 1:
        raise ApiError(
            400,
            f"messages have {len(parts)} texts and pictures, and this model embeds each by "
            "itself: send them as input, a list",
            "messages",
        )
    return [_one(parts[0], "messages", settings)]


def check_count(count: int, settings: Settings, name: str = "input") -> None:
    """Refuse more inputs than a request may have."""
    if count > settings.max_inputs:
        raise ApiError(
            413,
            f"{count:,} inputs in one request, and {settings.max_inputs:,} are accepted: send "
            f"several requests (in langchain: chunk_size={settings.max_inputs})",
            name,
            "too_many_inputs",
        )


def check_length(length: int, name: str) -> None:
    """Refuse more characters of text than are looked through in a second, and cut into tokens in a
    few; told while they are counted, so that no more of them are looked through."""
    if length > _ALL_TEXTS:
        message = f"{length:,} characters of text in one request, and {_ALL_TEXTS:,} are accepted"
        raise ApiError(413, f"{message}: send several requests", name, "too_much_text")


def _one(item: object, name: str, settings: Settings) -> Input:
    if isinstance(item, str):
        read = from_picture if is_data_url(item) else check_text
        return read(item, name, settings)
    if isinstance(item, dict):
        return _of_part(item, name, settings)
    raise ApiError(422, f"{name} is neither a text nor a picture", name)


def _of_part(part: dict[str, object], name: str, settings: Settings) -> Input:
    kind = part.get("type")
    given = {key: value for key, value in part.items() if key != "type"}
    if len(given) == 1:
        key, value = next(iter(given.items()))
        if key == "image_url" and kind == "image_url":
            value = value.get("url") if isinstance(value, dict) else value
        if key == "text" and kind in ("text", None) and isinstance(value, str):
            return check_text(value, name, settings)
        if (key, kind) in (("image_url", "image_url"), ("image", None)) and isinstance(value, str):
            return from_picture(value, name, settings)
    raise ApiError(
        422,
        f'{name} is no part that is known here: write {{"type": "text", "text": "…"}} or '
        '{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,…"}}',
        name,
    )


def check_text(text: str, name: str, settings: Settings) -> str:
    """The text, if it is one.

    Raises:
        ApiError: it is empty, too long, not in Unicode, or has endless words.
    """
    if not text:
        raise ApiError(400, f"{name} is an empty text", name)
    if len(text) > settings.max_text:
        message = f"{name} has {len(text):,} characters, and {settings.max_text:,} are accepted"
        raise ApiError(400, message, name, "text_too_long")
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{name} has half of a character (a lone surrogate, \\ud800 to \\udfff)"
        raise ApiError(400, message, name) from None
    if _NO_SPACE.search(text) and _ENDLESS.search(_cleaned(text, name)):
        message = (
            f"{name} has more than {_LETTERS} letters, {_DIGITS} digits or {_SIGNS} signs "
            "without a space"
        )
        raise ApiError(400, message, name, "word_too_long")
    return text


def _cleaned(text: str, name: str) -> str:
    """As the tokenizer does it, which takes out what may stand between letters."""
    try:
        return basic_clean(text)
    except ValueError:  # of Python's, which reads no number of thousands of digits
        message = f"{name} has an HTML entity (&#…) of thousands of digits"
        raise ApiError(400, message, name, "word_too_long") from None


def from_picture(value: str, name: str, settings: Settings) -> bytes | Link:
    """The picture that a data URL, base64, or an address stands for.

    Raises:
        ApiError: it stands for none, or addresses are not fetched.
        PictureError: it is no picture.
    """
    start = value[:8].lower()
    if start.startswith("data:"):
        return from_data_url(value, name, settings.max_picture)
    if start.startswith(("http://", "https://")):
        if settings.fetch_urls:
            return Link(value)
        raise ApiError(
            400,
            f"{name} is the address of a picture, and this server fetches none: send a data URL, "
            "or start it with --fetch-urls",
            name,
            "urls_not_fetched",
        )
    if ":" in value[:16]:
        message = f"{name} is neither a data URL nor base64: no other address is ever opened"
        raise ApiError(400, message, name)
    return from_base64(value, name, settings.max_picture)


async def contents_of(
    pictures: Sequence[Input], names: Sequence[str], settings: Settings
) -> list[bytes]:
    """The pictures' bytes, fetched if need be: together no more than a body may have.

    Args:
        pictures: no texts.
        names: what errors call them.
        settings: the limits.

    Raises:
        ApiError, PictureError: as `urls.fetch` and `uploads.check_picture`.
    """
    contents: list[bytes] = []
    fetched = 0
    for picture, name in zip(pictures, names, strict=True):
        if isinstance(picture, Link):
            content = await urls.fetch(picture.url, limit=settings.max_picture, name=name)
            fetched += len(content)
            if fetched > settings.max_body:
                raise ApiError(413, _fetched_too_much(settings.max_body), name)
            contents.append(check_picture(content, name, settings.max_picture))
        else:
            assert isinstance(picture, bytes)
            contents.append(picture)
    return contents


def _fetched_too_much(limit: int) -> str:
    return (
        f"the pictures of this request that were fetched have more than the {limit:,} bytes that "
        "are accepted: send several requests"
    )
