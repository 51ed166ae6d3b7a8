"""A stranger's text as it may be shown: no sign in it moves a cursor, colours a terminal or forges a line. No torch."""

SPACE = "\N{NO-BREAK SPACE}"  # shown as an ordinary space, so that what is shown can be searched


def escaped(text: str) -> str:
    """`text` with every sign that is not printable as its escape: control characters, line breaks, signs that turn the direction
    of writing, halves of surrogate pairs."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode("ascii")
        for sign in text.replace(SPACE, " ")
    )
