"""What the commands of evidence share: passphrases, and a few facts as one answer. No torch."""

import os
import sys

import typer

from ownmark.errors import UsageError

PASSPHRASE = "OWNMARK_PASSPHRASE"  # noqa: S105 - the name of a variable


def passphrase(*, twice: bool = False) -> str:
    """From the environment, or asked for where somebody can answer."""
    known = os.environ.get(PASSPHRASE)
    if known:
        return known
    if not sys.stdin.isatty():
        raise UsageError(f"a key needs its passphrase: set {PASSPHRASE} in the environment, or type it in a terminal")
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))
