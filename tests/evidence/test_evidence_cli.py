"""keygen, seal and open: what is sealed is kept whatever happens to the timestamp, and no secret is ever shown."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from authority import Authority, authority, needs_openssl, serving_timestamps
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import Asked, Said, serving
from sealing import SEEN, choices, keyed_claim
from workshop import RUN, files, ownmark, refused

from ownmark.claims.claim import Claim
from ownmark.cli import main
from ownmark.errors import UsageError
from ownmark.evidence import owner, seal
from ownmark.evidence.admissibility import Standing, Trust, checked
from ownmark.evidence.bundle import Bundle, read
from ownmark.workflows import posting

Capture = pytest.CaptureFixture[str]
WORDS = "four words are enough"
SEAL = ["seal", "my.claim", "--key", "OWNER.key"]
OPEN = ["open", "my.claim.sealed", "--claim", "my.claim", "--key", "OWNER.key"]


def mine() -> Claim:
    """A claim whose key was not drawn for any one owner."""
    return keyed_claim(chosen=choices(owner="", alpha=0.001))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, with a space and a letter beyond ASCII in its name, with a claim and a key."""
    folder = tmp_path / "the owner's bür\u00f6"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", WORDS)
    mine().save(folder / "my.claim")
    owner.create(folder / "OWNER.key", WORDS)
    return folder


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "trusted")


@pytest.fixture
def tsa(trusted: Authority) -> Iterator[str]:
    with serving_timestamps(trusted) as url:
        yield url


def test_a_key_is_made_and_its_passphrase_is_asked_for(desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = ownmark(capsys, "keygen", "new.key", "--json")
    assert ran.code == 0
    assert ran.record["public_key"] == owner.opened(desk / "new.key", WORDS).public == owner.public_key(desk / "new.pub")
    assert ownmark(capsys, "keygen", "new.key").code == 2
    monkeypatch.delenv("OWNMARK_PASSPHRASE")
    refused(capsys, ["keygen", "other.key"], 2, "OWNMARK_PASSPHRASE")
    refused(capsys, SEAL, 2, "OWNMARK_PASSPHRASE")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    asked: list[bool] = []

    def prompt(_: str, *, hide_input: bool, confirmation_prompt: bool, err: bool) -> str:
        assert hide_input
        assert err
        asked.append(confirmation_prompt)
        return WORDS

    monkeypatch.setattr("typer.prompt", prompt)
    assert ownmark(capsys, "keygen", "other.key").code == 0
    assert ownmark(capsys, *SEAL).code == 0
    assert asked == [True, False], "a new passphrase is typed twice"


def test_a_wrong_passphrase_or_key_seals_nothing(desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(capsys, ["seal", "my.claim", "--key", "missing.key"], 2, "missing.key")
    refused(capsys, ["seal", "my.claim", "--key", "OWNER.pub"], 2, "as in an owner's key file")
    refused(capsys, ["seal", "my.claim"], 2, "--key OWNER.key")
    monkeypatch.setenv("OWNMARK_PASSPHRASE", "not the one that it was")
    refused(capsys, SEAL, 2, "wrong passphrase")
    assert desk.exists()


@needs_openssl
def test_a_seal_is_stamped_and_a_set_of_it_opened(desk: Path, capsys: Capture, tsa: str, trusted: Authority) -> None:
    ran = ownmark(capsys, *SEAL, "--tsa", tsa, "--alpha", "0.001", "--max-queries", "300", "--model-file", "my.claim", "--json")
    assert ran.code == 0, ran.err
    one = read(desk / "my.claim.sealed")
    assert (ran.record["digest"], ran.record["claim"]) == (one.digest, mine().digest)
    assert (one.commitment.policy.alpha, one.commitment.policy.most_queries) == (0.001, 300)
    assert ownmark(capsys, *OPEN, "--part", "1", "--out", "first", "--json").record["left"] == "0, 2"
    assert ownmark(capsys, *OPEN, "--part", "0", "--out", "second").code == 0
    found = checked(read(desk / "first"), Trust((trusted.root,), owner.public_key(desk / "OWNER.pub")), SEEN)
    assert (found.standing, found.number, found.remade) == (Standing.IN_TIME, 1, True)
    assert found.part == mine().part(1)
    assert read(desk / "my.claim.sealed").opened == (1, 0)
    assert read(desk / "second").opened == (1,)


@needs_openssl
def test_a_second_authority_can_be_asked_later(desk: Path, capsys: Capture, tsa: str) -> None:
    assert "untimestamped" in ownmark(capsys, *SEAL).out
    for number in (1, 2):
        ran = ownmark(capsys, "seal", "--retry", "my.claim.sealed", "--tsa", tsa)
        assert ran.code == 0, ran.err
        assert "untimestamped" not in ran.out
        assert len(read(desk / "my.claim.sealed").stamps) == number


def test_a_set_is_opened_once(desk: Path, capsys: Capture) -> None:
    ownmark(capsys, *SEAL)
    ownmark(capsys, *OPEN, "--part", "1", "--out", "first")
    before = (desk / "first").read_bytes()
    refused(capsys, [*OPEN, "--part", "1", "--out", "other"], 2, "set 1 was opened before and never counts again")
    assert ownmark(capsys, *OPEN, "--part", "1", "--out", "other", "--again").code == 0
    assert (desk / "other").read_bytes() == before
    refused(capsys, [*OPEN, "--part", "7", "--out", "other2"], 2, "from 0 to 2")
    refused(capsys, [*OPEN, "--part", "0", "--out", "nowhere/other"], 2, "there is no folder nowhere")
    assert read(desk / "my.claim.sealed").opened == (1,)


@needs_openssl
def test_a_timestamp_that_a_judge_could_not_check_is_not_taken(desk: Path, capsys: Capture, tsa: str, trusted: Authority) -> None:
    other = authority(desk / "other")
    for name, one in (("right.pem", trusted), ("wrong.pem", other)):
        (desk / name).write_bytes(one.root.public_bytes(Encoding.PEM))
    ran = ownmark(capsys, *SEAL, "--tsa", tsa, "--tsa-root", "wrong.pem")
    assert ran.code == 5
    assert "local issuer certificate" in ran.err
    assert read(desk / "my.claim.sealed").stamps == ()
    assert ownmark(capsys, "seal", "--retry", "my.claim.sealed", "--tsa", tsa, "--tsa-root", "right.pem").code == 0
    assert len(read(desk / "my.claim.sealed").stamps) == 1
    refused(capsys, [*SEAL, "--out", "new", "--tsa", tsa, "--tsa-root", "my.claim"], 2, "certificates in PEM")


@needs_openssl
def test_what_another_process_noted_meanwhile_is_not_lost(desk: Path, capsys: Capture) -> None:
    ownmark(capsys, *SEAL)

    own = authority(desk / "tsa")

    def meanwhile(asked: Asked) -> Said:
        seal.noted(read(desk / "my.claim.sealed"), 2).save(desk / "my.claim.sealed")
        return Said(own.reply(asked.body))

    with serving(meanwhile) as server:
        ran = ownmark(capsys, "seal", "--retry", "my.claim.sealed", "--tsa", server.url)
    assert ran.code == 2
    assert "changed while this was under way" in ran.err
    assert (read(desk / "my.claim.sealed").opened, read(desk / "my.claim.sealed").stamps) == ((2,), ())


def test_a_set_whose_file_could_not_be_written_can_be_written_again(
    desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ownmark(capsys, *SEAL)
    save = Bundle.save

    def full(one: Bundle, path: Path) -> None:
        if path.name == "first":
            raise UsageError("No space left on device")
        save(one, path)

    with monkeypatch.context() as broken:
        broken.setattr(Bundle, "save", full)
        assert ownmark(capsys, *OPEN, "--part", "1", "--out", "first").code == 2
    assert read(desk / "my.claim.sealed").opened == (1,)
    assert not (desk / "first").exists()
    assert ownmark(capsys, *OPEN, "--part", "1", "--out", "first", "--again").code == 0
    assert read(desk / "first").opened == ()


def answering(*answers: Said) -> Callable[[Asked], Said]:
    return lambda asked: answers[min(asked.place, len(answers) - 1)]


def slowly() -> Iterator[bytes]:
    """An answer that takes its time."""
    for _ in range(100):
        time.sleep(0.05)
        yield b"0"


BAD = {
    "garbage": Said(b"\x30\x03\x02\x01\x00"),
    "html": Said(b"<html>Sign in</html>", headers={"content-type": "text/html"}),
    "empty": Said(b""),
    "error": Said(b"no", status=404),
    "denied": Said(b"no", status=403),
    "huge": Said(b"0" * (2**20 + 1)),
}


@pytest.mark.parametrize("name", [*BAD, "down"])
def test_an_authority_that_gives_no_timestamp_leaves_an_untimestamped_seal(
    name: str, desk: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "LIMITS", replace(posting.LIMITS, backoff=0.01))
    with serving(answering(BAD.get(name, Said()))) as server:
        url = "http://127.0.0.1:9/tsr" if name == "down" else f"{server.url}/tsr"
        ran = ownmark(capsys, *SEAL, "--tsa", url)
        again = ownmark(capsys, "seal", "--retry", "my.claim.sealed", "--tsa", url, "--json")
    assert (ran.code, again.code) == (5, 5)
    assert f"ownmark seal --retry my.claim.sealed --tsa {url}" in ran.err
    assert "untimestamped" in ran.err
    assert json.loads(again.out)["exit_code"] == 5
    found = checked(read(desk / "my.claim.sealed"), Trust(), SEEN)
    assert found.standing is Standing.UNTIMESTAMPED


def test_options_that_cannot_be_meant_leave_nothing_behind(desk: Path, capsys: Capture) -> None:
    for alpha in ("0", "1", "nan"):
        refused(capsys, [*SEAL, "--alpha", alpha], 2, "alpha")
    refused(capsys, [*SEAL, "--tsa", "authority"], 2, "http://")
    refused(capsys, [*SEAL, "--tsa", "http://me:secret@127.0.0.1/"], 2, "user name or password")
    refused(capsys, [*SEAL, "--out", "nowhere/seal"], 2, "there is no folder nowhere")
    refused(capsys, [*SEAL, "--model-file", "missing"], 2, "missing")
    refused(capsys, ["seal", "--retry", "my.claim"], 2, "--tsa URL")
    refused(capsys, ["seal", "--retry", "my.claim", "--tsa", "http://127.0.0.1:9"], 4, "my.claim")
    refused(capsys, ["open", "my.claim", "--claim", "my.claim", "--key", "OWNER.key", "--out", "x"], 4, "my.claim")
    assert ownmark(capsys, *SEAL).code == 0
    refused(capsys, SEAL, 2, "a seal that is overwritten is lost")
    (desk / "other.claim").write_bytes(keyed_claim(scheme="Other()").to_bytes())
    refused(
        capsys,
        ["open", "my.claim.sealed", "--claim", "other.claim", "--key", "OWNER.key", "--out", "x"],
        2,
        "not the sealed ones",
    )


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_asked(desk: Path, capsys: Capture) -> None:
    (desk / "my.claim.sealed").mkdir()
    with serving(answering(Said())) as server:
        refused(capsys, [*SEAL, "--tsa", server.url], 2, "my.claim.sealed")
    assert server.asked == []


@needs_openssl
def test_no_secret_is_in_any_file_or_line(desk: Path, capsys: Capture, tsa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSA_PATH", "a-secret-of-the-authority")
    who = owner.opened(desk / "OWNER.key", WORDS)
    secrets = (WORDS, who.secret.hex(), who.signing.private_bytes_raw().hex(), "a-secret-of-the-authority")
    said = [
        ownmark(capsys, *SEAL, "--tsa", tsa + "?token=${TSA_PATH}"),
        ownmark(capsys, *OPEN, "--part", "2", "--out", "first"),
    ]
    assert [ran.code for ran in said] == [0, 0]
    written = b"".join((desk / name).read_bytes() for name in files(desk) if name != "OWNER.key")
    text = written + "".join(ran.out + ran.err for ran in said).encode() + read(desk / "first").envelope.payload
    for secret in secrets:
        assert secret.encode() not in text
    assert bytes.fromhex(secrets[1]) not in text
    assert "${TSA_PATH}" in read(desk / "my.claim.sealed").stamps[0].url


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_seal_or_none(desk: Path) -> None:
    """Also without a HOME to write to, and with an ASCII terminal."""
    odd = os.environ | {"HOME": "/nowhere", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}

    def killed(target: Path, after: float | None) -> float:
        """Seconds that the command lived: `after` so many it is killed, or as soon as its seal is there."""
        call, began = [sys.executable, "-c", RUN, *SEAL, "--out", str(target), "--tsa", server.url], time.monotonic()
        with subprocess.Popen(call, cwd=desk, env=odd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            while running.poll() is None and (not target.exists() if after is None else time.monotonic() < began + after):
                time.sleep(0.005)
            running.kill()
        return time.monotonic() - began

    with serving(lambda _: Said(pieces=slowly())) as server:
        whole = killed(desk / "0.sealed", None)
        for step in range(1, 8):
            killed(desk / f"{step}.sealed", whole * (0.6 + 0.1 * step))
    assert (desk / "0.sealed").exists()
    for target in desk.glob("*.sealed"):
        assert Bundle.from_bytes(target.read_bytes()).commitment.claim == mine().digest


def test_the_commands_of_evidence_load_no_torch(desk: Path) -> None:
    code = f"import sys; from ownmark.cli import main; print(main({SEAL!r}), 'torch' in sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == "0 False"
    assert main(["seal", "--help"]) == 0
