"""Mappings: what a small YAML file may say about an API, and what is refused before anything is sent."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ownmark.errors import OwnmarkError, UsageError
from ownmark.suspects.answers import Outputs
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.mapping import KNOWN, Mapping, find

PAGE = (Path(__file__).parents[3] / "docs" / "web-suspects.md").read_text(encoding="utf-8")


def test_the_mapping_of_the_page_is_one_and_its_tables_name_every_preset_and_word() -> None:
    texts = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert [Mapping.read(text).classes for text in texts] == [("akiec", "bcc", "nevus"), ("RBC", "WBC", "Platelets")]
    words = {"preset", *(field.name for field in fields(Mapping))}
    assert set(re.findall(r"^\| `(\w[\w-]*)` \|", PAGE, re.MULTILINE)) == words | KNOWN.keys()


def test_a_preset_can_be_changed_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(
        "preset: huggingface\nurl: https://api.example/x\nscores: '[*].score'\nnames: '[*].label'\nheaders: {X-Team: a}\n"
    )
    mapping = Mapping.load(file)
    assert (mapping.scores, mapping.top, mapping.url) == ("[*].score", None, "https://api.example/x")
    assert dict(mapping.headers) == {"x-team": "a", "authorization": "Bearer ${HF_TOKEN}"}
    assert Mapping.load(file, "https://other.example/y").url == "https://other.example/y"


WRONG = {
    "no address": 'body: "{{png}}"\nlabel: label',
    "a strange address": 'url: ftp://x\nbody: "{{png}}"\nlabel: label',
    "no image": "url: http://x\nbody: {a: 1}\nlabel: label",
    "no body": "url: http://x\nlabel: label",
    "two images": 'url: http://x\nbody: {a: "{{tensor}}", b: "{{tensor}}"}\nlabel: label',
    "a raw image inside": 'url: http://x\nbody: {a: "{{png}}"}\nlabel: label',
    "no answer": 'url: http://x\nbody: "{{png}}"',
    "two answers": 'url: http://x\nbody: "{{png}}"\nlabel: a\nscores: b',
    "names of a label": 'url: http://x\nbody: "{{png}}"\nlabel: a\nnames: b',
    "a box without its place": 'url: http://x\nbody: "{{png}}"\nscores: a\nnames: b\nbox: sides',
    "a box of a strange kind": 'url: http://x\nbody: "{{png}}"\nscores: a\nboxes: b\nbox: ring',
    "boxes without scores": 'url: http://x\nbody: "{{png}}"\ntop: a\nboxes: b',
    "an unknown word": 'url: http://x\nbody: "{{png}}"\nlabel: a\ncolour: red',
    "an unknown preset": "preset: nonsense\nurl: http://x",
    "one unknown word": "nonsense",
    "a path of code": 'url: http://x\nbody: "{{png}}"\nlabel: "a[?(@.b)]"',
    "an open bracket": 'url: http://x\nbody: "{{png}}"\nlabel: "a[0"',
    "a method that sends nothing": 'url: http://x\nbody: "{{png}}"\nlabel: a\nmethod: GET',
    "a layout": 'url: http://x\nbody: "{{tensor}}"\nlabel: a\nlayout: hcwn',
    "outputs": 'url: http://x\nbody: "{{png}}"\nscores: a\noutputs: guesses',
    "a secret": 'url: http://x\nbody: "{{png}}"\nlabel: a\nheaders: {Authorization: Bearer abc}',
    "a header of two lines": 'url: http://x\nbody: "{{png}}"\nlabel: a\nheaders: {x: "a\\nb"}',
    "a number for a header": 'url: http://x\nbody: "{{png}}"\nlabel: a\nheaders: {x: 1}',
    "numbers for classes": 'url: http://x\nbody: "{{png}}"\nlabel: a\nclasses: [1, 2]',
    "a class twice": 'url: http://x\nbody: "{{png}}"\nlabel: a\nclasses: [a, a]',
    "a truth value": 'url: http://x\nbody: "{{png}}"\nlabel: a\nfirst: true',
    "broken YAML": "url: [",
    "an object of Python's": "url: !!python/object/apply:os.system [touch canary]",
    "a bare number": "7",
    "nothing": "",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_mapping_that_cannot_be_meant_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api.yaml").write_text(WRONG[kind])
    with pytest.raises(UsageError, match=r"api\.yaml"):
        Mapping.load("api.yaml")
    assert [file.name for file in tmp_path.iterdir()] == ["api.yaml"], "nothing in the file was run"


def test_classes_that_do_not_fit_the_claim_are_refused() -> None:
    for text in ("classes: [x, y]", "order: [a, b]", "order: [a, b, x]"):
        mapping = Mapping.read(f'url: http://x\nbody: "{{{{png}}}}"\nlabel: label\n{text}')
        with pytest.raises(UsageError, match="3 classes"):
            HttpJson(mapping, ("a", "b", "c"))


def test_paths_lead_where_they_say() -> None:
    answer = {"a": [{"b": {"c d": 1}}, {"b": {"c d": 2}}], "0": 5}
    for path, wanted in (("a[1].b.c d", 2), ("a[*].b", [{"c d": 1}, {"c d": 2}]), ("a[*].b.c d", [1, 2]), ("0", 5), ("", answer)):
        assert find(answer, path) == wanted
    for path in ("a[2]", "a.b", "b", "a[0].b[0]", "[0]", "[*]"):
        with pytest.raises(OwnmarkError):
            find(answer, path)


def test_outputs_of_a_mapping_are_found_out_unless_it_says_them() -> None:
    text = 'url: http://x\nbody: "{{png}}"\nscores: ""\n'
    assert Mapping.read(text).outputs is None
    assert Mapping.read(f"{text}outputs: logits").outputs is Outputs.LOGITS
