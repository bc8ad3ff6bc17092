"""Addresses as they may be shown: without the credentials that they carry."""

from __future__ import annotations

import re

__all__ = ["redact"]

_USER = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"(\w://[^\s'\"?#]*)[?#][^\s'\"]*")


def redact(text: str, address: str = "") -> str:
    """An address, or a text with addresses in it, without user names, passwords and queries.

    Args:
        text: to be shown.
        address: what its credentials are is taken out wherever it stands in the text.

    >>> redact("https://me:secret@example.org/clip/RN50.pt?sig=abc")
    'https://example.org/clip/RN50.pt?…'
    >>> redact("no route to http://proxy:pa@ss@10.0.0.1:80/")
    'no route to http://10.0.0.1:80/'
    >>> redact("invalid key 'abc123'", "s3://abc123:secret@bucket/clip")
    "invalid key '…'"
    """
    user = _USER.search(address)
    query = address.partition("?")[2]
    for secret in re.split("[:@&=]", f"{user[0] if user else ''}&{query}"):
        if len(secret) > 3:
            text = text.replace(secret, "…")
    return _QUERY.sub(r"\1?…", _USER.sub("", text))
