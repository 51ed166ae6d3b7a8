"""A suspect behind an address, or behind the address that a mapping holds: how it is spoken to, and what opens it. No torch."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ownmark.errors import UsageError
from ownmark.protocols import Suspect
from ownmark.suspects.opener import Opener, Opening

if TYPE_CHECKING:
    from ownmark.suspects.http.mapping import Mapping
    from ownmark.suspects.http.oip import Dialect

SCHEMES, MAPPINGS = ("http://", "https://"), (".yaml", ".yml")
TENSOR_PARTS = 4


def is_mapping(name: str) -> bool:
    """Whether a name is that of a mapping's file."""
    return Path(name).suffix in MAPPINGS


def check(opening: Opening) -> None:
    """Raises UsageError for what does not fit together."""
    _described(opening)


def opened(opening: Opening) -> Suspect:
    """The suspect at an address, or at the address that a mapping holds."""
    from ownmark.suspects.http.http_json import HttpJson
    from ownmark.suspects.http.oip import Dialect, Oip
    from ownmark.suspects.http.transport import Limits, Transport

    described, wire = _described(opening), opening.wire
    limits = Limits(most_queries=wire.max_queries, per_second=wire.per_second, at_once=wire.at_once)
    carrier = opening.closing.enter_context(closing(Transport(limits, opening.ledger)))
    if isinstance(described, Dialect):
        suspect: Oip | HttpJson = Oip(opening.name, opening.classes, carrier, preprocess=opening.preprocess, dialect=described)
    else:
        suspect = HttpJson(described, opening.names, carrier, preprocess=opening.preprocess, repeats=wire.repeats)
    return suspect.asked(replace(suspect.manner, blue_first=wire.blue_first))


def _described(opening: Opening) -> "Dialect | Mapping":
    """How the server is spoken to."""
    from ownmark.suspects.http.mapping import PRESETS, Mapping

    name, wire = opening.name, opening.wire
    headers = tuple(_header(text) for text in wire.header)
    source = name if is_mapping(name) else wire.api
    if source is None:
        return _dialect(opening, headers)
    if opening.output:
        raise UsageError("--output names a tensor; --api or its file says what to read of a JSON answer")
    if wire.binary is not None:
        raise UsageError("--binary belongs to the Open Inference Protocol; leave it out")
    if wire.tensor is not None or (wire.api is not None and source is name):
        raise UsageError("--tensor belongs to the Open Inference Protocol, --api to an address; leave out what does not fit")
    url = "" if source is name else name
    if source in PRESETS:
        mapping = Mapping.read(source, url)
    elif is_mapping(source):
        if not Path(source).is_file():
            raise UsageError(f"there is no mapping {source}")
        mapping = Mapping.load(source, url)
    else:
        raise UsageError(f"--api must be one of {', '.join(PRESETS)} or a file that ends in .yaml, got {source!r}")
    named = {key.lower() for key, _ in headers}
    merged = (*(pair for pair in mapping.headers if pair[0].lower() not in named), *headers)
    return replace(mapping, headers=merged, outputs=opening.outputs or mapping.outputs)


def _dialect(opening: Opening, headers: tuple[tuple[str, str], ...]) -> "Dialect":
    from ownmark.suspects.http.oip import Dialect, Layout

    tensor = opening.wire.tensor
    parts = (tensor or "").split(":")
    if len(parts) > TENSOR_PARTS:
        raise UsageError(f"--tensor is IN:TYPE:LAYOUT:OUT, of which any part may be empty, got {tensor!r}")
    name, datatype, layout, output = parts + [""] * (TENSOR_PARTS - len(parts))
    if opening.output and output not in {"", opening.output}:
        raise UsageError(f"--output says {opening.output!r} and --tensor {output!r}: name one output")
    if layout and layout.lower() not in list(Layout):
        raise UsageError(f"the layout in --tensor must be one of {', '.join(Layout)}; got {layout!r}")
    placed, read = Layout(layout.lower()) if layout else None, output or opening.output
    binary, repeats = opening.wire.binary, opening.wire.repeats
    return Dialect(headers, opening.outputs, name, datatype.upper(), placed, read, repeats=repeats, binary=binary)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header is 'NAME: TEXT', got {text!r}")
    return name.strip(), value.strip()


OPENS = Opener(
    written="http://HOST/v2/models/NAME or an api.yaml",
    opened=opened,
    schemes=SCHEMES,
    suffixes=MAPPINGS,
    check=check,
    remote=True,
)
