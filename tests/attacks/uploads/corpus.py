"""All kinds of hostile uploads, each as a request, with what is right for an answer."""

from __future__ import annotations

from dataclasses import dataclass

from . import bodies, forms, pictures, protocol
from .wire import Request, post_json

__all__ = ["Attack", "attacks", "harmless"]


@dataclass(frozen=True)
class Attack:
    """A request that must be refused.

    Attributes:
        name: what is wrong with it.
        statuses: that are right; None for a connection that is closed without an answer.
        says: a pattern that the reason must match, in any case.
        in_our_form: refused by the application, with a reason in the API's form; else by the
            parser of HTTP in front of it.
    """

    name: str
    request: Request
    statuses: tuple[int | None, ...]
    says: str = ""
    in_our_form: bool = True


def attacks() -> list[Attack]:
    found = [
        Attack(f"{name}, {way}", request, statuses, says)
        for name, (content, statuses, says) in pictures.cases().items()
        for way, request in ways(content).items()
    ]
    for cases in (bodies.cases(), forms.cases(), protocol.cases()):
        found += [Attack(name, *case) for name, case in cases.items()]
    slow = bodies.data_url(pictures.slow(), "image/jpeg")
    request = post_json(bodies.EMBED, {"input": [{"image": slow}]})
    found.append(Attack("a jpeg that takes minutes", request, (413,), "5,001 scans"))
    parsers = protocol.by_the_parser().items()
    return found + [Attack(name, *case, in_our_form=False) for name, case in parsers]


def ways(content: bytes) -> dict[str, Request]:
    """A picture as it may come in."""
    url = bodies.data_url(content)
    return {
        "embedded": post_json(bodies.EMBED, {"input": [{"image": url}]}),
        "classified": post_json(bodies.CLASSIFY, {"pictures": [url], "labels": ["a cat", "a dog"]}),
        "uploaded": forms.classify(content),
    }


def harmless() -> dict[str, Request]:
    """What looks hostile, is good, and gets the same answer as the plain one of its way."""
    pictures_ = pictures.harmless().items()
    found = {f"picture with {name}": ways(content)["embedded"] for name, content in pictures_}
    found |= {f"body with {name}": each for name, each in bodies.harmless().items()}
    return found | {f"form with {name}": each for name, each in forms.harmless().items()}
