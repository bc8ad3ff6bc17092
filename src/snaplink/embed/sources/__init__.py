"""Where pictures come from: what a user names, as a stream of items."""

from .names import opened
from .source import Columns, Source

__all__ = ["Columns", "Source", "opened"]
