"""A pulse of drand: a round that quicknet published is believed, and so are those of a chain of the test's own; nothing else."""

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from authority import authority, needs_openssl
from beacons import Beacon
from sealing import OWNER, SEEN, choices

from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import beacon, drand, pledge, timestamp
from ownmark.evidence.drand import Chain, Round

bls = pytest.importorskip("py_arkworks_bls12381")

PULSES = Path(__file__).parents[1] / "pulses"
INFO, PUBLISHED = PULSES / "drand-quicknet-info.json", PULSES / "drand-quicknet-657413.json"
SECRET = 1234567


def own(period: int = 3, genesis: int = 1692803367) -> Chain:
    """A chain whose secret key the test has."""
    return Chain((bls.G2Point() * bls.Scalar(SECRET)).to_compressed_bytes().hex(), period, genesis)


def signed(number: int) -> bytes:
    """The JSON of a round of that chain, as drand publishes it."""
    hashed = bls.G1Point.hash_to_curve(sha256(number.to_bytes(8, "big")).digest(), drand.TAG)
    signature = (hashed * bls.Scalar(SECRET)).to_compressed_bytes()
    told = {"round": number, "randomness": sha256(signature).hexdigest(), "signature": signature.hex()}
    return json.dumps(told).encode()


def test_a_round_that_quicknet_published_is_believed_and_nothing_in_it_can_be_changed() -> None:
    """Round 657,413, of 15 September 2023."""
    (quicknet,) = beacon.trusted_in(INFO)
    assert isinstance(quicknet, Chain)
    pulse = beacon.from_bytes(PUBLISHED.read_bytes(), quicknet)
    assert isinstance(pulse, Round)
    pulse.check([quicknet])
    assert f"{pulse.time:%Y-%m-%d %H:%M:%S}" == "2023-09-15 11:00:03"
    for changed in ({"round": 657414}, {"signature": json.loads(signed(657413))["signature"]}, {"randomness": "00" * 32}):
        with pytest.raises(EvidenceError, match=r"was modified|no trusted chain signed"):
            drand.from_record(pulse.record | changed).check([quicknet])
    other = json.loads(signed(657413)) | {"chain": quicknet.record}
    with pytest.raises(EvidenceError, match="no trusted chain signed"):
        drand.from_record(other).check([quicknet])


def test_a_round_is_believed_of_a_trusted_chain_alone() -> None:
    pulse = beacon.from_bytes(signed(7), own())
    pulse.check([Beacon(0).certificate, own()])
    for others in ((), (Beacon(0).certificate,), (own(period=30),), (replace(own(), genesis_time=1),)):
        with pytest.raises(EvidenceError, match="no trusted chain signed"):
            pulse.check(others)
    nothing = Chain(bls.G2Point.identity().to_compressed_bytes().hex(), 3, 1)
    empty = bls.G1Point.identity().to_compressed_bytes()
    forged = {"round": 7, "signature": empty.hex(), "randomness": sha256(empty).hexdigest(), "chain": nothing.record}
    with pytest.raises(EvidenceError, match="no trusted chain signed"):
        drand.from_record(forged).check([nothing])
    with pytest.raises(EvidenceError, match="no trusted beacon certificate"):
        beacon.from_bytes(Beacon(0).after(SEEN)).check([own()])


def test_the_trusted_beacons_are_the_same_after_they_were_written() -> None:
    for one in (own(), Beacon(0).certificate):
        assert beacon.of_bytes(beacon.bytes_of(one)) == one


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 0},
        {"round": True},
        {"round": "7"},
        {"round": 2**40},
        {"signature": "zz" * 48},
        {"signature": "AB" * 48},
        {"signature": "ab"},
        {"randomness": None},
        {"chain": {}},
        {"chain": None},
        {"more": 1},
    ],
)
def test_a_round_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    record = json.loads(signed(7)) | {"chain": own().record} | changes
    with pytest.raises(EvidenceError):
        drand.from_record(record)


def test_a_round_without_its_chain_and_a_chain_of_another_scheme_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="says nothing of its chain"):
        beacon.from_bytes(signed(7))
    for told in ({"schemeID": "pedersen-bls-chained"}, {"period": 0}, {"genesis_time": True}, {"public_key": "ab"}):
        (tmp_path / "info.json").write_text(json.dumps(json.loads(INFO.read_text()) | told), encoding="utf-8")
        with pytest.raises(UsageError, match="as a chain of drand"):
            beacon.trusted_in(tmp_path / "info.json")


@needs_openssl
def test_a_pledge_takes_the_first_round_after_its_timestamp_and_no_other(tmp_path: Path) -> None:
    trusted, chain = authority(tmp_path / "tsa"), own()
    one = pledge.made(choices(), OWNER, 1)
    one = replace(one, stamps=(timestamp.asked(one.envelope.data, "http://tsa", trusted.reply),))
    moment = one.stamps[0].time + timestamp.ACCURACY
    number = int(moment.timestamp() - chain.genesis_time) // chain.period + 2
    for apart in (-1, 1, 100):
        with pytest.raises(EvidenceError, match="not the first after"):
            pledge.with_pulse(one, beacon.from_bytes(signed(number + apart), chain))
    whole = pledge.with_pulse(one, beacon.from_bytes(signed(number), chain))
    whole.save(tmp_path / "file")
    kept = pledge.read(tmp_path / "file")
    now = moment + timedelta(minutes=1)
    assert kept == whole
    assert kept.pledges((trusted.root,), (chain,), now) == 1
    with pytest.raises(EvidenceError, match="no trusted chain"):
        kept.pledges((trusted.root,), (), now)
