"""Search over a store of embeddings, exact or by an index.

from snaplink.store import Store

for hit in Store.open("photos.store").search("a red car", top=5):
    print(hit.score, hit.source)
"""

from .building import build_index
from .exact import Ranked, nearest
from .index import IndexFacts, open_index
from .query import Picture, Query, Words
from .searchable import Searchable
from .searcher import NEAR_DUPLICATE, Hit, Searcher, query_encoder
from .where import rows_where

__all__ = [
    "NEAR_DUPLICATE",
    "Hit",
    "IndexFacts",
    "Picture",
    "Query",
    "Ranked",
    "Searchable",
    "Searcher",
    "Words",
    "build_index",
    "nearest",
    "open_index",
    "query_encoder",
    "rows_where",
]
