"""A model behind HTTP, in OpenAI's form, and a page to look at a store's pictures.

`create_app` gives the ASGI application; `snaplink serve` runs it.
"""
