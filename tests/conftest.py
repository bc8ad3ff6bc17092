"""How hypothesis draws: the same examples in every run, however slow the machine.

A run decides on one change, so it must not fail for another's luck, nor because a core was busy.
To look further: `pytest --hypothesis-profile=default`, or a `--hypothesis-seed` of your own.
"""

from __future__ import annotations

from hypothesis import settings

settings.load_profile("ci")
