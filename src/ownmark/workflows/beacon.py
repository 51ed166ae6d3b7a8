"""A pledge that `make_pledge` wrote is timestamped, and then given the first pulse of a public beacon after that. No torch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ownmark.errors import UsageError
from ownmark.evidence import beacon as pulses
from ownmark.evidence import pledge as pledges
from ownmark.evidence import timestamp
from ownmark.evidence.beacon import Pulse
from ownmark.evidence.drand import Chain, Round
from ownmark.evidence.pledge import Pledge
from ownmark.evidence.timestamp import Post
from ownmark.files import check_writable


@dataclass(frozen=True)
class BeaconRequest:
    """What is done to the `pledge` in a file: timestamped by the authority `tsa`, or given a `pulse`; one of the two.

    `post` gives the way of a request to an address, `fetch` what lies at one; `pulse`: a file or an address of JSON as the NIST
    Randomness Beacon 2.0 or drand has it; `certificate`: the beacon's, PEM, to see at once that a judge can check the pulse; of
    drand what it publishes about the chain, without which a round has no time.
    """

    pledge: Path
    post: Callable[[str], Post]
    fetch: Callable[[str], bytes]
    tsa: str | None = None
    pulse: str | None = None
    certificate: Path | None = None


def beacon(request: BeaconRequest) -> Pledge:
    """The pledge as it was written anew.

    Raises UsageError for a second timestamp, EvidenceError for a pulse that is not the first after the timestamp.
    """
    found = pledges.read(request.pledge)
    check_writable(request.pledge)
    if (request.tsa is None) == (request.pulse is None):
        raise UsageError("give --tsa URL to timestamp the pledge, or --pulse PULSE, the first pulse after its timestamp")
    if request.pulse is not None:
        found = pledges.with_pulse(found, _pulse(request, request.pulse))
    else:
        found = _stamped(request, found, str(request.tsa))
    found.save(request.pledge)
    return found


def _stamped(request: BeaconRequest, found: Pledge, url: str) -> Pledge:
    if found.stamps:
        raise UsageError(f"{request.pledge} has a timestamp: p would be corrected for each further one as for another pledge")
    return replace(found, stamps=(timestamp.asked(found.envelope.data, url, request.post(url)),))


def _pulse(request: BeaconRequest, named: str) -> Pulse | Round:
    try:
        data = request.fetch(named) if "://" in named else Path(named).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the pulse {named}: {error.strerror or error}") from error
    trusted = () if request.certificate is None else pulses.trusted_in(request.certificate)
    pulse = pulses.from_bytes(data, next((one for one in trusted if isinstance(one, Chain)), None))
    if request.certificate is not None:
        pulse.check(trusted)
    return pulse
