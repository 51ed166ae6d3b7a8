"""A verdict in a notebook: one line, and the picture of its score."""

import xml.etree.ElementTree as ET

from judging import Model, keyed, marked

from ownmark.verdicts.picture import of_score
from ownmark.verdicts.verify import unsettled, verify

CLAIM = keyed(sets=1)


def test_a_verdict_prints_in_one_line_that_names_outcome_suspect_and_p() -> None:
    text = repr(verify(CLAIM, Model(marked(CLAIM, 1.0), "copy.onnx")))
    assert text.startswith("<Verdict MATCH (supporting) on copy.onnx: 60 of 60 samples match by label, p = ")
    assert "\n" not in text
    assert len(text) < 200


def test_a_verdict_without_answers_says_so_and_shows_no_picture() -> None:
    verdict = unsettled(CLAIM, Model(marked(CLAIM, 1.0), "copy.onnx"), 0.05, "nobody can tell")
    assert repr(verdict) == "<Verdict INCONCLUSIVE on copy.onnx: nothing could be judged>"
    assert "<svg" not in verdict._repr_html_()


def test_a_notebook_shows_the_score_and_a_strangers_name_as_text() -> None:
    shown = verify(CLAIM, Model(marked(CLAIM, 1.0), "<script>x</script>"))._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "<svg" in shown


def test_the_picture_places_suspect_protected_model_and_every_innocent_on_one_axis() -> None:
    drawn = ET.fromstring(of_score(0.5, (0.25, 0.75), protected=1.0, innocents=(0.0, 0.0, 0.5)))  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}circle"
    placed = {kind: [float(one.attrib["cx"]) for one in drawn.iter(name) if one.attrib["class"] == kind] for kind in KINDS}
    (suspect,), (protected,), innocents = placed["suspect"], placed["protected"], placed["innocent"]
    assert innocents[:2] == [innocents[0]] * 2
    assert innocents[2] == suspect
    assert innocents[0] < suspect < protected
    assert suspect - innocents[0] == protected - suspect
    assert "3 innocent models, 0% to 50%" in drawn.attrib["aria-label"]


KINDS = ("suspect", "protected", "innocent")


def test_the_picture_needs_nothing_from_outside() -> None:
    drawn = of_score(0.5, (0.25, 0.75), protected=1.0, innocents=())
    assert "href" not in drawn
    assert "url(" not in drawn
    assert "innocent" not in drawn
