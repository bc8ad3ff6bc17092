"""A bar where somebody watches, nothing where nobody does."""

from __future__ import annotations

import io
import sys

import pytest

from clip.progress import bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watch(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_no_terminal_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with bar("RN50.pt") as moved:
        assert moved is None


def test_no_standard_error_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with bar("RN50.pt") as moved:
        assert moved is None


def test_a_bar_shows_name_and_bytes(monkeypatch):
    terminal = watch(monkeypatch)
    with bar("RN50.pt") as moved:
        moved(1_000_000, None)
        moved(2_000_000, 4_000_000)
        moved(4_000_000, 4_000_000)
    assert "RN50.pt" in terminal.getvalue()
    assert "4.0/4.0 MB" in terminal.getvalue()


def test_nothing_to_do_shows_nothing(monkeypatch):
    terminal = watch(monkeypatch)
    with bar("RN50.pt"):
        pass
    assert "RN50.pt" not in terminal.getvalue()
