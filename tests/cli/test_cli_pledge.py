"""A pledge on the command line: made, stamped, given a pulse, and then the key takes that."""

from datetime import timedelta
from pathlib import Path

import pytest
from authority import authority, needs_openssl, serving_timestamps
from beacons import Beacon
from loopback import Said, serving
from marking import marked, marking, null_of, owners_key
from workshop import ownmark, refused, shop_in

from ownmark.claims.claim import Claim
from ownmark.evidence import pledge
from ownmark.evidence.choices import from_record

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


@needs_openssl
def test_a_pledge_is_stamped_gets_the_next_pulse_and_then_the_key_takes_it(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, public = owners_key(shop, monkeypatch), Beacon()
    (shop / "beacon.pem").write_bytes(public.pem)
    pledging = ["--key", "OWNER.key", "--pledge", "my.pledge", "--pledges", "3"]
    assert "as one of 3" in marked(capsys, *pledging).out
    assert not (shop / "my.claim").exists()
    refused(capsys, marking(*pledging), 2, "has no pulse yet")
    with serving_timestamps(authority(shop / "tsa")) as url:
        assert ownmark(capsys, "beacon", "my.pledge", "--tsa", url).code == 0
        refused(capsys, ["beacon", "my.pledge", "--tsa", url], 2, "as for another pledge")
        with serving(
            lambda _: Said(public.after(pledge.read(shop / "my.pledge").stamps[0].time + timedelta(seconds=1)))
        ) as pulses:
            words = ["beacon", "my.pledge", "--certificate", "beacon.pem", "--pulse"]
            assert ownmark(capsys, *words, f"{pulses.url}/pulse").code == 0
    marked(capsys, *pledging)
    claim, found = Claim.load(shop / "my.claim"), pledge.read(shop / "my.pledge")
    assert found.pulse is not None
    assert null_of(claim) == from_record(claim.choices).null(mine.secret, found.pulse.output)
    refused(capsys, ["seal", "my.claim", "--key", "OWNER.key"], 2, "not derived from what the seal commits to")
    assert ownmark(capsys, "seal", "my.claim", "--key", "OWNER.key", "--pledge", "my.pledge").code == 0
    refused(capsys, marking(*pledging, "--alpha", "0.01", out="third.claim"), 2, "pledges another scheme")
