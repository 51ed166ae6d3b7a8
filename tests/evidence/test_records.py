"""A verdict in the forms of other tools: valid by their own schemas, signed by the judge, and saying what the verdict says."""

import json
import re
from collections.abc import Mapping
from functools import cache
from html import unescape
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from authority import needs_openssl
from courtroom import JUDGE, SEEN, WORDS, furnish
from workshop import ownmark, refused

from ownmark import canonical
from ownmark.cli import hearings
from ownmark.errors import UsageError
from ownmark.evidence import envelope, owner
from ownmark.evidence.records.facts import joined
from ownmark.workflows.judge import JudgeResult
from ownmark.workflows.records import Named

Capture = pytest.CaptureFixture[str]
pytestmark = needs_openssl
PAGE = (Path(__file__).parents[2] / "docs" / "evidence-format.md").read_text(encoding="utf-8")
WANTED = ["--cyclonedx", "bom.json", "--in-toto", "model.intoto.json", "--spdx", "ai.spdx.json"]


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("records"))


@pytest.fixture(autouse=True)
def _in_court(court: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(court)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", WORDS)


def read(name: str) -> Any:
    return json.loads(Path(name).read_text(encoding="utf-8"))


@cache
def schema() -> Any:
    """The standard's own schema of CycloneDX 1.7, as its Python library ships it, with those that it refers to."""
    held = pytest.importorskip("cyclonedx.schema._res", reason="the standard's schema comes with cyclonedx-python-lib")
    referencing = pytest.importorskip("referencing")
    folder = resources.files(held)
    found = {one.name: json.loads(one.read_text(encoding="utf-8")) for one in folder.iterdir() if one.name.endswith(".json")}
    registry = referencing.Registry().with_resources(
        (one["$id"], referencing.Resource.from_contents(one)) for one in found.values() if "$id" in one
    )
    (whole,) = (one for name, one in found.items() if name.startswith("bom-1.7"))
    return pytest.importorskip("jsonschema").Draft7Validator(whole, registry=registry)


def check_cyclonedx(record: Mapping[str, Any]) -> None:
    assert [error.message for error in schema().iter_errors(record)] == []


def check_references(record: Mapping[str, Any]) -> None:
    """Every name that a declaration uses is defined once."""
    told = record["declarations"]
    everything = [record["metadata"]["component"], *record["components"], *told["assessors"], *told["claims"], *told["evidence"]]
    everything += told["targets"]["components"]
    known = [one["bom-ref"] for one in everything]
    assert len(set(known)) == len(known)
    (claim,), (attestation,) = told["claims"], told["attestations"]
    used = [claim["target"], *claim["evidence"], *claim.get("counterEvidence", []), attestation["assessor"]]
    for one in attestation["map"]:
        used += [*one.get("claims", []), *one.get("counterClaims", [])]
    assert set(used) <= set(known)


def test_a_match_is_declared_by_a_third_party_with_its_evidence_and_pedigree(court: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, *JUDGE, "--suspect", "b.onnx", *WANTED, "--json")
    assert ran.code == 0, ran.err
    bom = read("bom.json")
    check_references(bom)
    told = bom["declarations"]
    assert told["assessors"][0]["thirdParty"] is True
    assert told["attestations"][0]["map"][0]["claims"] == ["claim"]
    suspect = bom["metadata"]["component"]
    assert suspect["hashes"] == [{"alg": "SHA-256", "content": canonical.sha256((court / "b.onnx").read_bytes())}]
    assert suspect["pedigree"]["ancestors"][0]["hashes"][0]["content"] == canonical.sha256((court / "a.onnx").read_bytes())
    assert suspect["modelCard"]["modelParameters"]["task"] == "classification"
    assert {one["propertyName"] for one in told["evidence"]} == {step["name"] for step in ran.record["steps"]}
    assert ran.record["reason"] in told["claims"][0]["reasoning"]
    assert "other-data" in told["claims"][0]["reasoning"], "what was not shown is told"
    before = Path("bom.json").read_bytes()
    again = ownmark(capsys, "judge", "a.opened", "--offline", "verdict.json", "--cyclonedx", "bom.json")
    assert again.code == 0
    later = read("bom.json")
    assert "hashes" not in later["metadata"]["component"], "the file is not at hand"
    was, now = (json.loads(text)["declarations"] for text in (before, Path("bom.json").read_bytes()))
    assert {**was, "targets": None} == {**now, "targets": None}
    check_cyclonedx(json.loads(before))
    check_cyclonedx(later)


def test_what_is_no_match_is_a_counter_claim_and_names_no_ancestor(capsys: Capture) -> None:
    assert ownmark(capsys, *JUDGE, "--suspect", "innocent.onnx", *WANTED).code == 1
    bom = read("bom.json")
    check_references(bom)
    assert bom["declarations"]["attestations"][0]["map"][0]["counterClaims"] == ["claim"]
    assert "ancestors" not in bom["metadata"]["component"]["pedigree"]
    assert not [one for one in read("ai.spdx.json")["@graph"] if one["type"] == "Relationship"]
    assert any(one["bom-ref"].startswith("counter") for one in bom["declarations"]["evidence"])
    check_cyclonedx(bom)


def test_an_attestation_is_signed_by_the_judge_and_about_the_file(court: Path, capsys: Capture) -> None:
    assert ownmark(capsys, *JUDGE, "--suspect", "b.onnx", "--alpha", "1e-7", *WANTED).code == 0
    signed = envelope.from_record(read("model.intoto.json"))
    signed.check(owner.public_key(court / "JUDGE.pub"))
    statement = json.loads(signed.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    digests = {one["digest"]["sha256"] for one in statement["subject"]}
    assert canonical.sha256((court / "b.onnx").read_bytes()) in digests
    assert statement["predicate"]["verdict"] == canonical.sha256((court / "verdict.json").read_bytes())
    assert statement["predicate"]["outcome"] == "MATCH (strong)"
    assert statement["predicate"]["alpha"] == "1e-07", "what was judged by, not what the claimant wished"
    oracle = pytest.importorskip("securesystemslib.dsse").Envelope.from_dict(read("model.intoto.json"))
    assert oracle.pae().endswith(signed.payload)


def test_the_models_digest_is_that_of_model_signings_manifest(court: Path, capsys: Capture) -> None:
    hashing = pytest.importorskip("model_signing.hashing", reason="model-signing is too heavy for the tests' own group")
    assert ownmark(capsys, *JUDGE, "--suspect", "b.onnx", *WANTED).code == 0
    subject = json.loads(envelope.from_record(read("model.intoto.json")).payload)["subject"]
    (one,) = hashing.Config().hash(court / "b.onnx").resource_descriptors()
    assert one.digest.digest_hex == subject[0]["digest"]["sha256"]
    signing = pytest.importorskip("model_signing._signing.signing")
    manifest = signing.Payload(hashing.Config().hash(court / "b.onnx")).statement.pb
    assert manifest.subject[0].digest["sha256"] == subject[1]["digest"]["sha256"]


def test_an_spdx_document_is_read_by_the_standards_own_model(capsys: Capture) -> None:
    assert ownmark(capsys, *JUDGE, "--suspect", "b.onnx", *WANTED).code == 0
    record = read("ai.spdx.json")
    kinds = [one["type"] for one in record["@graph"]]
    assert kinds.count("ai_AIPackage") == 2
    assert kinds.count("Relationship") == 1
    model = pytest.importorskip("spdx_python_model", reason="SPDX's own classes come with spdx-python-model")
    found, held = model.load_data(record)
    packages = list(held.foreach_type(found.ai_AIPackage))
    assert {one.name for one in packages} == {"b.onnx", "protected model"}
    (relation,) = held.foreach_type(found.Relationship)
    assert relation.relationshipType == found.RelationshipType.descendantOf
    assert not held.link()


def test_what_cannot_be_recorded_is_refused_before_anybody_is_asked(capsys: Capture) -> None:
    refused(capsys, [*JUDGE, "--suspect", "b.onnx", "--spdx", "absent/x.json"], 2, "there is no folder absent")
    refused(capsys, ["judge", "a.opened", "--offline", "verdict.json", "--in-toto", "x"], 2, "--in-toto belongs to a hearing")
    web = ["--suspect", "http://127.0.0.1:1/v2/models/x", "--ledger", "l/x", "--in-toto", "x"]
    refused(capsys, [*JUDGE, *web], 2, "an in-toto attestation is about a file")


def test_a_suspect_that_changes_while_it_is_asked_gets_a_verdict_but_no_record(
    court: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(court)
    Path("swapped.onnx").write_bytes(Path("b.onnx").read_bytes())
    for file in (Path("late.json"), Path("late.intoto.json")):
        file.unlink(missing_ok=True)
    heard = hearings.heard

    def swapping(*given: Any, **more: Any) -> JudgeResult:
        made = heard(*given, **more)
        Path("swapped.onnx").write_bytes(Path("innocent.onnx").read_bytes())
        return made

    monkeypatch.setattr(hearings, "heard", swapping)
    words = [*JUDGE, "--suspect", "swapped.onnx", "--cyclonedx", "late.json", "--in-toto", "late.intoto.json"]
    refused(capsys, words, 2, "swapped.onnx was changed while it was asked")
    assert not Path("late.json").exists()
    assert not Path("late.intoto.json").exists()


def test_a_file_that_was_swapped_only_while_it_was_opened_gets_no_record(court: Path) -> None:
    named = Named.before(str(court / "b.onnx"))
    named.check(canonical.sha256((court / "b.onnx").read_bytes()))
    with pytest.raises(UsageError, match="was changed while it was asked"):
        named.check(canonical.sha256((court / "c.onnx").read_bytes()))


def test_a_suspect_in_two_files_is_named_by_both(tmp_path: Path) -> None:
    for end in ("param", "bin"):
        (tmp_path / f"net.{end}").write_bytes(end.encode())
    both = Named.before(str(tmp_path / "net.param")).files
    assert both == tuple((f"net.{end}", canonical.sha256(end.encode())) for end in ("param", "bin"))
    assert joined(both) == canonical.sha256("".join(digest for _, digest in both).encode())
    (tmp_path / "net.bin").write_bytes(b"other weights")
    assert Named.before(str(tmp_path / "net.param")).files[1] != both[1]


def test_the_accused_gets_the_judges_verdict_on_the_model_that_is_named_and_a_page_of_it(capsys: Capture) -> None:
    words = ["answer", "a.opened", "--model", "innocent.onnx", "--reference", "same-data=c.onnx", "--decoys", "images"]
    words += ["--root", "tsa.pem", "--seen", SEEN, "--key", "JUDGE.key", "--out", "answer.json", "--page", "answer.html"]
    ran = ownmark(capsys, *words, "--json")
    assert (ran.code, ran.record["outcome"]) == (1, "NO MATCH"), ran.err
    judged = ownmark(capsys, *JUDGE, "--suspect", "innocent.onnx", "--reference", "same-data=c.onnx", "--json").record
    assert (judged["outcome"], judged["score"], judged["log10_p"]) == tuple(
        ran.record[key] for key in ("outcome", "score", "log10_p")
    )
    page = Path("answer.html").read_text(encoding="utf-8")
    for told in (
        "An answer of the accused",
        "NO MATCH: innocent.onnx",
        "Whoever signed this chose the model that was asked",
        "The claimant&#39;s own model was not at hand",
        "No reference of the stratum other-data was asked",
        "alpha of the claimant",
    ):
        assert told in page
    (inside,) = re.findall(r"<pre class=\"code\">(.*?)</pre>", page, re.DOTALL)
    assert unescape(inside).encode() == Path("answer.json").read_bytes()
    assert ownmark(capsys, "judge", "a.opened", "--offline", "answer.json", "--page", "again.html").code == 1
    again = Path("again.html").read_text(encoding="utf-8")
    assert again == page
    offline = ["judge", "a.opened", "--offline", "answer.json", "--cyclonedx", "bom.json", "--spdx", "ai.spdx.json"]
    assert ownmark(capsys, *offline).code == 1
    assert read("bom.json")["declarations"]["assessors"][0]["thirdParty"] is False
    names = [one["name"] for one in read("ai.spdx.json")["@graph"] if one["type"] == "Agent"]
    assert names[0].startswith("the accused of the key"), "no record makes a judge of an accused"
    refused(capsys, [*words[:3], "http://127.0.0.1:1/v2/models/x", *words[4:]], 2, "name the model itself")


def test_securesystemslib_finds_the_key_as_the_page_of_the_format_says(court: Path, capsys: Capture) -> None:
    assert ownmark(capsys, *JUDGE, "--suspect", "b.onnx").code == 0
    (code,) = re.findall(r"^```python\n(def check.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    page: dict[str, Any] = {}
    exec(code, page)  # noqa: S102 - the code of the page
    page["check"]("verdict.json", owner.public_key(court / "JUDGE.pub"))
    with pytest.raises(Exception, match="Accepted signatures do not match"):
        page["check"]("verdict.json", "ab" * 32)
