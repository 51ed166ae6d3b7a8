"""What every script here understands: `--help`, and no other word unless it takes some."""

import argparse


def helped(about: str | None, words: str = "") -> None:
    """Shows what the script does, by its docstring, if asked; ends it with an error for words that it does not take.

    `words`: what those mean that it takes, and reads itself.
    """
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    if words:
        options.add_argument("words", nargs="*", help=words)
        options.parse_known_args()
    else:
        options.parse_args()
