"""`snaplink completion`: what makes a shell complete verbs and options at the Tab key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from . import COMPLETE
from .exits import NAME

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes snaplink at the Tab key.

    \b
    bash, at the end of ~/.bashrc:    eval "$(snaplink completion bash)"
    zsh, at the end of ~/.zshrc:      eval "$(snaplink completion zsh)"
    fish, once:  snaplink completion fish > ~/.config/fish/completions/snaplink.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, NAME, COMPLETE).source())
