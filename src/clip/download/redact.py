"""Addresses as they may be shown: without the credentials that they carry."""

from __future__ import annotations

import re

__all__ = ["redact"]

_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"(\w://[^\s'\"?#]*)[?#][^\s'\"]*")


def redact(text: str) -> str:
    """An address, or a text with addresses in it, without user names, passwords and queries.

    >>> redact("https://me:secret@example.org/clip/RN50.pt?sig=abc")
    'https://example.org/clip/RN50.pt?…'
    >>> redact("no route to http://proxy:pa@ss@10.0.0.1:80/")
    'no route to http://10.0.0.1:80/'
    """
    return _QUERY.sub(r"\1?…", _USER.sub("", text))
