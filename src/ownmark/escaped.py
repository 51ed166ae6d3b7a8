"""Untrusted text made safe to display: no character moves the cursor, colours the terminal or forges a line. No torch."""

SPACE = "\N{NO-BREAK SPACE}"  # shown as an ordinary space, so that users can search the output


def escaped(text: str) -> str:
    """`text` with every unprintable character escaped: control characters, line breaks, bidi controls, lone surrogates."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode("ascii")
        for sign in text.replace(SPACE, " ")
    )
