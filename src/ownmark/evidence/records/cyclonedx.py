"""A verdict as a CycloneDX 1.7 document: declarations of a third-party assessor about a machine-learning model. No torch.

https://cyclonedx.org/docs/1.7/json/. Written as the standard's JSON schema says, field by field: its Python library drops
`modelCard`.
"""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ownmark.evidence.records.facts import SAYS, Facts
from ownmark.querying.integrity_checks import Step

SUSPECT, TARGET, PROTECTED, JUDGE, CLAIM = "suspect", "target", "protected-model", "judge", "claim"


def record(facts: Facts) -> dict[str, Any]:
    """The document as JSON data."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'urn:ownmark:verdict:{facts.verdict}')}",
        "version": 1,
        "metadata": {
            "timestamp": facts.time,
            "tools": {"components": [{"type": "application", "name": "ownmark", "version": facts.tool}]},
            "component": _suspect(facts),
        },
        "components": [_protected(facts)],
        "declarations": _declarations(facts),
    }


def _suspect(facts: Facts) -> dict[str, Any]:
    """The suspect; its pedigree names the protected model only where the verdict is a match."""
    heard = facts.found.judged.session.suspect
    pedigree: dict[str, Any] = {"notes": f"{facts.summary}. {facts.not_shown}"}
    if facts.supports:
        pedigree["ancestors"] = [
            {"type": "machine-learning-model", "name": "protected model", "hashes": _hashes(facts.protected)}
        ]
    interval = facts.ruling["interval"]
    metric = {
        "type": "graded score" if facts.found.judged.ruling.finding.graded else "share of the claim's samples that match",
        "value": facts.ruling["score"],
        "confidenceInterval": {"lowerBound": interval[0], "upperBound": interval[1]},
    }
    card = {"modelParameters": {"task": facts.task}, "quantitativeAnalysis": {"performanceMetrics": [metric]}}
    properties = [{"name": "ownmark:first-seen", "value": facts.seen}, {"name": "ownmark:digest", "value": heard.digest}]
    return {
        "type": "machine-learning-model",
        "bom-ref": SUSPECT,
        "name": facts.name,
        **_hashed(facts),
        "pedigree": pedigree,
        "modelCard": card,
        "properties": [one for one in properties if one["value"]],
    }


def _protected(facts: Facts) -> dict[str, Any]:
    committed = facts.found.judged.bundle.commitment
    return {
        "type": "machine-learning-model",
        "bom-ref": PROTECTED,
        "name": "protected model",
        "hashes": _hashes(facts.protected),
        "properties": [
            {"name": "ownmark:owner-key", "value": committed.owner},
            {"name": "ownmark:seal", "value": facts.found.judged.bundle.digest},
        ],
    }


def _declarations(facts: Facts) -> dict[str, Any]:
    steps = [(f"evidence-{number}", step) for number, step in enumerate(facts.steps)]
    against = [(f"counter-evidence-{number}", step) for number, step in enumerate(facts.against)]
    shown, rebutting = [ref for ref, _ in steps], [ref for ref, _ in against]
    claim = {
        "bom-ref": CLAIM,
        "target": TARGET,
        "predicate": SAYS,
        "reasoning": f"{facts.summary}. {facts.not_shown}",
        "evidence": shown,
        **({"counterEvidence": rebutting} if rebutting else {}),
        "externalReferences": [{"type": "attestation", "url": f"urn:ownmark:verdict:{facts.verdict}"}],
    }
    held: dict[str, Any] = {"claims": [CLAIM]} if facts.supports else {"counterClaims": [CLAIM]}
    alpha = facts.found.judged.bundle.commitment.policy.alpha
    terms = f"the claimant committed to alpha = {alpha:g}, {facts.alpha:g} was judged by"
    held["conformance"] = {
        "score": 1.0 if facts.supports else 0.0,
        "rationale": f"1 for a match, 0 for anything else. {facts.summary}",
    }
    held["confidence"] = {"rationale": f"log10 p = {facts.ruling['log10_p']}; {terms}"}
    organisation = {"name": f"the {facts.signer} of the key {facts.found.judge}"}
    return {
        "assessors": [{"bom-ref": JUDGE, "thirdParty": not facts.accused, "organization": organisation}],
        "attestations": [{"summary": facts.summary, "assessor": JUDGE, "map": [held]}],
        "claims": [claim],
        "evidence": [_evidence(ref, step, facts) for ref, step in steps + against],
        "targets": {"components": [_target(facts)]},
    }


def _target(facts: Facts) -> dict[str, Any]:
    """The suspect once more, since targets are components of their own."""
    return {"type": "machine-learning-model", "bom-ref": TARGET, "name": facts.name, **_hashed(facts)}


def _evidence(ref: str, step: Step, facts: Facts) -> dict[str, Any]:
    passed = {True: "passed", False: "not passed", None: "for information"}[step.passed]
    return {"bom-ref": ref, "propertyName": step.name, "description": f"{passed}: {step.told}", "created": facts.time}


def _hashed(facts: Facts) -> dict[str, Any]:
    return {"hashes": _hashes(facts.file)} if facts.file else {}


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]
