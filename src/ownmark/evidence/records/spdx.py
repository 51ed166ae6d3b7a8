"""A verdict as an SPDX 3.0.1 document of the AI profile: two AI packages, what the judge says, and who says it. No torch.

https://spdx.github.io/spdx-spec/v3.0.1/. What nobody knows of a suspect (its supplier, its version) is written as unknown.
"""

from typing import Any

from ownmark import canonical
from ownmark.evidence.records.facts import Facts

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
CREATION = "_:creation"


def record(facts: Facts) -> dict[str, Any]:
    """The document as JSON-LD."""
    base = f"urn:ownmark:verdict:{facts.verdict}"
    judge, unknown, suspect, protected = (f"{base}#{name}" for name in ("judge", "unknown", "suspect", "protected-model"))
    elements = [
        {
            "type": "Agent",
            "spdxId": judge,
            "creationInfo": CREATION,
            "name": f"the {facts.signer} of the key {facts.found.judge}",
        },
        {"type": "Agent", "spdxId": unknown, "creationInfo": CREATION, "name": "unknown"},
        _package(suspect, facts.name, facts.file, unknown, facts) | {"comment": f"First seen {facts.seen}. {facts.not_shown}"},
        _package(protected, "protected model", facts.protected, unknown, facts),
        _annotation(f"{base}#ruling", suspect, facts),
        *([_descent(f"{base}#descent", suspect, protected, facts)] if facts.supports else []),
    ]
    document = {
        "type": "SpdxDocument",
        "spdxId": f"{base}#document",
        "creationInfo": CREATION,
        "name": f"ownmark's verdict on {facts.name}",
        "profileConformance": ["core", "software", "ai"],
        "rootElement": [suspect],
        "element": [one["spdxId"] for one in elements],
    }
    creation = {
        "type": "CreationInfo",
        "@id": CREATION,
        "specVersion": "3.0.1",
        "created": facts.time,
        "createdBy": [judge],
        "comment": f"made by ownmark {facts.tool}",
    }
    return {"@context": CONTEXT, "@graph": [creation, document, *elements]}


def _package(spdx_id: str, name: str, digest: str, supplier: str, facts: Facts) -> dict[str, Any]:
    hashed = [{"type": "Hash", "algorithm": "sha256", "hashValue": digest}] if digest else []
    return {
        "type": "ai_AIPackage",
        "spdxId": spdx_id,
        "creationInfo": CREATION,
        "name": name,
        **({"verifiedUsing": hashed} if hashed else {}),
        "suppliedBy": supplier,
        "releaseTime": facts.seen,
        "software_primaryPurpose": "model",
        "software_packageVersion": "unknown",
        "software_downloadLocation": f"urn:sha256:{digest}" if digest else "urn:ownmark:unknown",
        "ai_domain": [facts.task],
    }


def _annotation(spdx_id: str, suspect: str, facts: Facts) -> dict[str, Any]:
    told = canonical.dumps({**facts.ruling, "verdict": facts.verdict, "seal": facts.found.judged.bundle.digest}).decode()
    return {
        "type": "Annotation",
        "spdxId": spdx_id,
        "creationInfo": CREATION,
        "annotationType": "review",
        "subject": suspect,
        "contentType": "application/json",
        "statement": told,
        "summary": facts.summary,
    }


def _descent(spdx_id: str, suspect: str, protected: str, facts: Facts) -> dict[str, Any]:
    """A match: what the answers support, with p in the comment."""
    return {
        "type": "Relationship",
        "spdxId": spdx_id,
        "creationInfo": CREATION,
        "from": suspect,
        "relationshipType": "descendantOf",
        "to": [protected],
        "completeness": "noAssertion",
        "comment": f"Supported by {facts.summary}. log10 p = {facts.ruling['log10_p']}. {facts.not_shown}",
    }
