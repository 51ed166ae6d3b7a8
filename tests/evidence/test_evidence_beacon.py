"""A pledge before a public pulse: the pulse is the beacon's, the first after the timestamp, and what is opened was pledged."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha512
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from authority import Authority, authority, needs_openssl
from beacons import ZERO, Beacon
from judging import SHAPE, TRIGGERS, marked, session
from sealing import OWNER, POLICY, SEEN, THIEF, choices, resealed

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import beacon, pledge, seal, timestamp
from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.beacon import Pulse
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.choices import Choices
from ownmark.evidence.pledge import Pledge
from ownmark.evidence.ruling import Outcome, ruled
from ownmark.evidence.seal import Beside
from ownmark.evidence.verdict_file import Judged, recomputed
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading

PUBLISHED = Path(__file__).parents[1] / "pulses" / "nist-1-54610.json"
NIST, OTHER = Beacon(0), Beacon(1)  # ours takes NIST's place
SETS = 2


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "trusted")


@cache
def chosen() -> Choices:
    return choices(SETS, triggers=TRIGGERS, size=SHAPE)


@cache
def promised(pledges: int = 4) -> Pledge:
    return pledge.made(chosen(), OWNER, pledges)


def stamped(trusted: Authority, one: Pledge | None = None) -> Pledge:
    whole = one or promised()
    return replace(whole, stamps=(timestamp.asked(whole.envelope.data, "http://tsa", trusted.reply),))


def nist(found: object) -> Pulse:
    """A pulse that is not one of drand's."""
    assert isinstance(found, Pulse)
    return found


def first(one: Pledge, public: Beacon = NIST) -> Pulse:
    return nist(beacon.from_bytes(public.after(one.stamps[0].time + timedelta(seconds=1))))


def claimed(pulse: Pulse) -> Claim:
    null = chosen().null(OWNER.secret, pulse.output)
    images = np.concatenate([keys.patterns(key, TRIGGERS, SHAPE, 4) for key in null.set_keys])
    test = Test(Reading.LABEL, Agreement(), null.labels(), 0.3, null=null)
    return Claim(images[:, None], (test,), chosen().classes, chosen().scheme, "ab" * 32, choices=chosen().record)


@pytest.fixture(scope="module")
def kept(trusted: Authority) -> tuple[Pledge, Claim, Bundle]:
    """A pledge with its pulse, the claim whose key takes it, and the stamped seal, set 0 opened."""
    one = stamped(trusted)
    one = pledge.with_pulse(one, first(one))
    assert one.pulse is not None
    claim = claimed(nist(one.pulse))
    whole = seal.stamped(seal.seal(claim, OWNER, POLICY, Beside(pledge=one)), "http://tsa", trusted.reply)
    return one, claim, seal.opened(whole, claim, OWNER, 0)


def trust(trusted: Authority, *beacons: Beacon, **more: Any) -> Trust:
    return Trust((trusted.root,), beacons=tuple(one.certificate for one in beacons), **more)


# a pulse


def test_a_pulse_that_nist_published_has_the_output_that_its_fields_give() -> None:
    """Pulse 54,610 of chain 1, of 30 August 2018; pulse 54,609 committed to its local value."""
    pulse = nist(beacon.from_bytes(PUBLISHED.read_bytes()))
    signature = bytes.fromhex(pulse.record["signatureValue"])
    assert sha512(pulse.message + signature).digest() == pulse.output
    assert f"{pulse.time:%Y-%m-%d %H:%M:%S}" == "2018-08-30 17:44:00"
    assert sha512(bytes.fromhex(pulse.record["localRandomValue"])).hexdigest().startswith("88c34d192954e0829524c6dc5098c37d")
    with pytest.raises(EvidenceError, match="no trusted beacon certificate"):
        pulse.check([NIST.certificate])


def test_a_pulse_is_signed_by_a_beacon_that_is_trusted_and_nothing_in_it_can_be_changed() -> None:
    data = NIST.after(SEEN)
    beacon.from_bytes(data).check([OTHER.certificate, NIST.certificate])
    with pytest.raises(EvidenceError, match="no trusted beacon certificate"):
        beacon.from_bytes(data).check([OTHER.certificate])
    with pytest.raises(EvidenceError, match="no trusted beacon certificate"):
        beacon.from_bytes(data).check([Beacon(0, end=SEEN - timedelta(days=1)).certificate])
    record = json.loads(data)["pulse"]
    others = {"pulseIndex": 7, "localRandomValue": ZERO, "timeStamp": "2099-01-01T00:00:00.000Z", "outputValue": ZERO, "uri": "x"}
    for name, value in others.items():
        with pytest.raises(EvidenceError, match="was modified"):
            beacon.from_record(record | {name: value}).check([NIST.certificate])
    bent = record | {"localRandomValue": ZERO}
    message = nist(beacon.from_record(bent)).message + bytes.fromhex(bent["signatureValue"])
    with pytest.raises(EvidenceError, match="no trusted beacon certificate"):
        beacon.from_record(bent | {"outputValue": sha512(message).hexdigest()}).check([NIST.certificate])


@pytest.mark.parametrize(
    "changes",
    [
        {"cipherSuite": 1},
        {"cipherSuite": True},
        {"period": 0},
        {"period": -1},
        {"pulseIndex": 2**60},
        {"pulseIndex": "7"},
        {"timeStamp": "yesterday"},
        {"localRandomValue": "xyz"},
        {"listValues": []},
        {"listValues": None},
        {"external": {}},
        {"uri": 3},
        {"more": 1},
    ],
)
def test_a_pulse_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    record = json.loads(NIST.after(SEEN))["pulse"] | changes
    with pytest.raises(EvidenceError):
        beacon.from_bytes(json.dumps({"pulse": record}).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b'{"pulse": 1}', b'{"uri": 1, "uri": 2}', b" " * 70_000, b"\xff"])
def test_what_is_no_pulse_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        beacon.from_bytes(data)


# a pledge and its pulse


@needs_openssl
def test_a_pledged_key_pays_for_the_pledges_alone_and_the_verdict_is_computed_anew(
    trusted: Authority, kept: tuple[Pledge, Claim, Bundle]
) -> None:
    bundle = Bundle.from_bytes(kept[2].to_bytes())
    assert bundle.opening is not None
    part = bundle.opening.claim
    copy = marked(part, 0.35)
    believed = trust(trusted, NIST)
    outcomes = {}
    for name, known in (("believed", believed), ("stated", replace(believed, pledges=1)), ("no beacon", trust(trusted))):
        found = checked(bundle, known, SEEN)
        ruling = ruled(found, session(part, copy, own=copy))
        told = next(step.told for step in ruling.steps if step.name == "J7 tried keys")
        outcomes[name] = (ruling.outcome, told.split(" (")[0] if name == "no beacon" else told.split("; ")[2].split(" (")[0])
        assert ("public pulse: " in told) == (name != "no beacon")
    assert outcomes["believed"] == (Outcome.STRONG, "2^17"), "65,536 pledges, two sets to choose from"
    assert outcomes["stated"] == (Outcome.STRONG, "2^3"), "4 are stated, which this judge believes"
    assert outcomes["no beacon"] == (Outcome.INCONCLUSIVE, "2^64")
    judged = Judged(bundle, replace(believed, now=believed.now), SEEN, session(part, copy, own=copy), {}, "ab" * 32)
    assert recomputed(judged.signed(THIEF).data, bundle).judged.ruling.outcome is Outcome.STRONG


@needs_openssl
def test_a_pulse_that_is_not_the_first_after_the_timestamp_is_refused(trusted: Authority) -> None:
    """Who may pick among pulses has as many keys to try as there are minutes."""
    one = stamped(trusted)
    moment = one.stamps[0].time
    for apart in (timedelta(minutes=-1), timedelta(minutes=2), timedelta(days=1)):
        with pytest.raises(EvidenceError, match="not the first after the pledge's timestamp"):
            pledge.with_pulse(one, beacon.from_bytes(NIST.after(moment + apart)))
    late = beacon.from_bytes(NIST.after(moment + timedelta(days=1)))
    claim = claimed(nist(late))
    bundle = seal.opened(seal.seal(claim, OWNER, POLICY, Beside(pledge=replace(one, pulse=late))), claim, OWNER, 0)
    with pytest.raises(EvidenceError, match="not the first"):
        checked(bundle, trust(trusted, NIST), SEEN)
    with pytest.raises(UsageError, match="timestamp the pledge first"):
        pledge.with_pulse(promised(), late)


@needs_openssl
def test_a_seed_that_was_not_pledged_is_rejected(trusted: Authority, kept: tuple[Pledge, Claim, Bundle]) -> None:
    """The forger knows the pulse, tries seeds until one fits, and opens that."""
    one, claim, bundle = kept
    lucky = replace(claim.tests[0].null, key="5a" * 32)  # type: ignore[type-var]
    images = np.concatenate([keys.patterns(key, TRIGGERS, SHAPE, 4) for key in lucky.set_keys])  # type: ignore[attr-defined]
    test = replace(claim.tests[0], null=lucky, expected=lucky.labels())  # type: ignore[attr-defined]
    forged = replace(claim, images=images[:, None], tests=(test,))
    bent = seal.opened(seal.seal(forged, OWNER, POLICY, Beside(pledge=one)), forged, OWNER, 0)
    with pytest.raises(EvidenceError, match="does not come from a pledged seed"):
        checked(bent, trust(trusted, NIST), SEEN)
    assert [kind.shown for kind in checked(bent, trust(trusted), SEEN).allowances][2] is None, "nor does it gain by it elsewhere"
    with pytest.raises(EvidenceError, match="not derived from what the seal commits to"):
        checked(resealed(replace(bundle, stamps=()), beacon=None), Trust(), SEEN)
    with pytest.raises(UsageError, match="not derived from what the seal commits to"):
        seal.seal(claim, OWNER, POLICY)


@needs_openssl
def test_a_pledge_by_another_of_another_thing_or_of_an_unknown_beacon_is_rejected(
    trusted: Authority, kept: tuple[Pledge, Claim, Bundle]
) -> None:
    one, bundle = kept[0], replace(kept[2], stamps=())
    with pytest.raises(EvidenceError, match="no trusted beacon certificate"):
        checked(bundle, trust(trusted, OTHER), SEEN)
    with pytest.raises(EvidenceError, match="needs a timestamp"):
        checked(resealed(bundle, beacon=replace(one, stamps=()).record), trust(trusted, NIST), SEEN)
    stolen = replace(one, envelope=pledge.made(chosen(), THIEF, 1).envelope)
    with pytest.raises(EvidenceError, match="the pledge before the pulse differs"):
        checked(resealed(bundle, beacon=stolen.record), trust(trusted, NIST), SEEN)
    with pytest.raises(EvidenceError, match="has no pulse"):
        checked(resealed(bundle, beacon=replace(one, pulse=None).record), trust(trusted, NIST), SEEN)


@needs_openssl
def test_the_whole_claim_is_opened_with_the_secret_that_was_pledged(
    trusted: Authority, kept: tuple[Pledge, Claim, Bundle]
) -> None:
    one, claim, _ = kept
    whole = seal.opened_whole(seal.seal(claim, OWNER, POLICY, Beside(pledge=one)), claim, OWNER)
    found = checked(Bundle.from_bytes(whole.to_bytes()), trust(trusted, NIST), SEEN)
    assert [(kind.bits, kind.shown is not None) for kind in found.allowances] == [(64, True), (40, True), (16, True)]
    assert len(found.part.images) == SETS * TRIGGERS if found.part else False


@pytest.mark.parametrize("pledges", [0, -1, 2**16 + 1])
def test_no_pledge_of_more_than_two_to_the_16_or_of_none(pledges: int) -> None:
    with pytest.raises(UsageError, match="expected 1 to 65536 pledges"):
        pledge.made(chosen(), OWNER, pledges)


@needs_openssl
def test_a_pledge_is_the_same_after_it_was_written_and_another_form_is_refused(trusted: Authority, tmp_path: Path) -> None:
    one = pledge.with_pulse(stamped(trusted), first(stamped(trusted)))
    one.save(tmp_path / "file")
    assert pledge.read(tmp_path / "file") == one
    data = (tmp_path / "file").read_bytes()
    for changed in (data[:-1], data + b" ", data.replace(b"ownmark pledge", b"ownmark sledge"), b"{}"):
        (tmp_path / "file").write_bytes(changed)
        with pytest.raises(EvidenceError):
            pledge.read(tmp_path / "file")
    with pytest.raises(EvidenceError, match="cannot read"):
        pledge.read(tmp_path / "missing")
