"""Talk to `snaplink serve` from Python; needs neither torch nor the server's packages.

from snaplink import Client

with Client() as server:
    vectors = server.embed_texts(["a cat", "a dog"])
"""

from .answers import SearchHit, SearchResult, ServedModel, StoreColumn, StoreFacts
from .clients import AsyncClient, Client

__all__ = [
    "AsyncClient",
    "Client",
    "SearchHit",
    "SearchResult",
    "ServedModel",
    "StoreColumn",
    "StoreFacts",
]
