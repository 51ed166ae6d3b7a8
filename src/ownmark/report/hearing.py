"""A judge's verdict, or the answer of an accused, as one page: what matched, on which terms, what was not shown."""

from ownmark.evidence.records.facts import LIMIT, Facts, terms_of
from ownmark.report.page import template
from ownmark.scoring.readings import Reading

MARKS = {True: "passed", False: "not passed", None: "for information"}
WITHOUT_OWN = "The claimant's own model was not at hand, so nobody saw that it shows the mark."
WITHOUT_DECOYS = "No ordinary images were asked about, so nobody saw that the suspect does the task."
WITHOUT_WEIGHTS = "The answers alone were compared: nobody looked at the suspect's weights."
BY_THE_ACCUSED = (
    "Whoever signed this chose the model that was asked, and the references: it shows what follows from that model's answers, "
    "not that it is the model in question."
)


def hearing_page(facts: Facts, signed: bytes) -> str:
    """The page's HTML; `signed`: the bytes of the verdict's file."""
    ruling = facts.found.judged.ruling
    outcome = "match" if facts.supports else "none" if facts.ruling["outcome"] == "NO MATCH" else "open"
    return template("hearing.html").render(
        title=f"{facts.ruling['outcome']}: {facts.name}",
        facts=facts,
        tone=outcome,
        graded=ruling.finding.graded,
        matched=int(ruling.finding.matches.sum()),
        samples=len(ruling.finding.matches),
        terms=terms_of(facts.found),
        steps=ruling.steps,
        marks=MARKS,
        missing=_missing(facts),
        signed=signed.decode(),
    )


def _missing(facts: Facts) -> list[str]:
    """What the verdict leaves open, the gravest first."""
    session, ruling = facts.found.judged.session, facts.found.judged.ruling
    told = [BY_THE_ACCUSED] if facts.accused else []
    told += [] if any(one.role == "own" for one in session.heard) else [WITHOUT_OWN]
    told += [] if len(session.classes) else [WITHOUT_DECOYS]
    told += [f"No reference of the stratum {stratum.value} was asked." for stratum in ruling.missing]
    told += [] if ruling.finding.test.reading is Reading.SALIENCY else [WITHOUT_WEIGHTS]
    return [*told, LIMIT]
