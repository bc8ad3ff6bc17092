"""A model behind HTTP, in OpenAI's form, and a page to look at a store's pictures.

`create_app` gives the ASGI application; `snaplink serve` runs it.
"""

from importlib.util import find_spec

from snaplink.errors import MissingPackageError

_NEEDED = "duckdb fastapi fsspec prometheus_client pyarrow usearch uvicorn"

for _package in _NEEDED.split():
    if find_spec(_package) is None:
        raise MissingPackageError("servers", _package.replace("_", "-"), "serve")
