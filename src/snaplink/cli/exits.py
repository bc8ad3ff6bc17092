"""How a run ends: results become exit codes and errors one line, here and nowhere else."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from snaplink.errors import ArgumentError, SnaplinkError

from .terminal import printable

__all__ = ["DONE", "FAILED", "NAME", "run", "say"]

NAME = "snaplink"

DONE, FAILED, WRONG_USAGE = 0, 1, 2
INTERRUPTED = 128 + 2  # as a shell counts the signals SIGINT
READER_GONE = 128 + 13  # and SIGPIPE


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command and return the exit code; a bug keeps its traceback.

    A verb returns None or 0 when all is done, and 1 when it has reported what failed.
    """
    _speak_utf8()
    try:
        # Not command.main: it would keep errors and exit codes for itself.
        with command.make_context(NAME, list(arguments)) as context:
            result = command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_early:  # after --help, for one
        return exit_early.exit_code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except Exception as error:
        code, message = _meaning(error)
        if message:
            say(message)
        return code
    return result or DONE


def say(message: str) -> None:
    """Print a line about the run, not its result, to standard error."""
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    name = click.style("snaplink:", fg="yellow") if colours else "snaplink:"
    print(name, "\n".join(map(printable, message.split("\n"))), file=sys.stderr)


def _speak_utf8() -> None:
    """On every platform, whatever its locale; file names in other encodings pass unchanged."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def _meaning(error: Exception) -> tuple[int, str]:
    """The exit code and the line for an error that a user can do something about."""
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        message = " ".join(error.format_message().split()).rstrip(".")
        return error.exit_code, message + hint
    if isinstance(error, ArgumentError):
        return WRONG_USAGE, str(error)
    if isinstance(error, SnaplinkError) or _is_clip_error(error):
        return FAILED, str(error)
    if isinstance(error, OSError):
        return _meaning_of_os_error(error)
    raise error


def _is_clip_error(error: Exception) -> bool:
    """Without an import: an error of `clip` can only come from a `clip` that is imported."""
    errors = sys.modules.get("clip.errors")
    return errors is not None and isinstance(error, errors.ClipError)


def _meaning_of_os_error(error: OSError) -> tuple[int, str]:
    # Windows tells EINVAL of a pipe whose reader has gone.
    invalid = os.name == "nt" and error.errno == errno.EINVAL and not error.filename
    if isinstance(error, BrokenPipeError) or invalid:
        # What is still in the buffer must not complain at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE, ""
    where = f"{error.filename}: " if error.filename else ""
    return FAILED, f"{where}{error.strerror or error}"
