"""A suspect that speaks the Open Inference Protocol over gRPC: asked like one over HTTP, by the same questions. No torch."""

from ownmark.protocols import Suspect
from ownmark.suspects.http import address
from ownmark.suspects.http.grpc_calls import SCHEMES, needed
from ownmark.suspects.opener import Opener, Opening


def _opened(opening: Opening) -> Suspect:
    needed()
    return address.opened(opening)


OPENS = Opener(
    written="grpc://HOST:PORT/v2/models/NAME",
    opened=_opened,
    schemes=SCHEMES,
    check=address.check,
    extra="grpc",
    remote=True,
)
