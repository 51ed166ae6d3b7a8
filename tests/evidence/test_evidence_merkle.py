"""The tree is RFC 6962's, a proof leads to the root from its own leaf only, and JSON has one text only."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownmark import canonical
from ownmark.errors import EvidenceError
from ownmark.evidence import merkle

# the leaves and roots that the reference implementation of RFC 6962 tests itself with
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

leaves = st.integers(1, 40).map(lambda count: [merkle.leaf(bytes([number])) for number in range(count)])
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("count", ROOTS)
def test_the_root_is_the_one_of_rfc_6962(count: int) -> None:
    assert merkle.root([merkle.leaf(bytes.fromhex(text)) for text in LEAVES[:count]]).hex() == ROOTS[count]


@given(leaves)
def test_the_root_is_the_one_that_the_text_of_the_rfc_gives(given_leaves: list[bytes]) -> None:
    def literal(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return part[0]
        power = max(2**exponent for exponent in range(10) if 2**exponent < len(part))
        return hashlib.sha256(b"\x01" + literal(part[:power]) + literal(part[power:])).digest()

    assert merkle.root(given_leaves) == literal(given_leaves)


@given(leaves, st.data())
def test_a_proof_leads_from_its_leaf_at_its_place_to_the_root_and_from_no_other(
    all_leaves: list[bytes], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(all_leaves) - 1))
    root, path = merkle.root(all_leaves), merkle.proof(all_leaves, place)
    assert merkle.led_to(all_leaves[place], place, len(all_leaves), path) == root
    for other in set(range(len(all_leaves))) - {place}:
        try:
            found = merkle.led_to(all_leaves[place], other, len(all_leaves), path)
        except EvidenceError:
            continue
        assert found != root
    assert not path or merkle.led_to(merkle.leaf(b"other"), place, len(all_leaves), path) != root


@given(leaves, st.data())
def test_a_proof_of_another_length_is_an_error(all_leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(all_leaves) - 1))
    path = merkle.proof(all_leaves, place)
    for wrong in (path[1:], (*path, bytes(32))) if path else ((bytes(32),),):
        with pytest.raises(EvidenceError, match="wrong length"):
            merkle.led_to(all_leaves[place], place, len(all_leaves), wrong)


def test_a_node_never_passes_for_a_leaf() -> None:
    one, two = merkle.leaf(b"1"), merkle.leaf(b"2")
    assert merkle.leaf(one + two) != merkle.root([one, two])


@given(values)
def test_a_value_has_one_text_and_comes_back_from_it(value: Any) -> None:
    assert canonical.loads(canonical.dumps(value)) == value


@given(values)
def test_any_other_text_of_the_same_value_is_an_error(value: Any) -> None:
    wide = json.dumps([value], indent=1).encode()
    with pytest.raises(EvidenceError):
        canonical.loads(wide)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b"NaN",
        b"Infinity",
        b"1e400",
        b"1e3",
        b"1.0",
        b"-0",
        b"9007199254740993",
        b"9" * 5000,
        b"\xef\xbb\xbf1",
        b"[1,\r\n2]",
        b'"\xff"',
        b'"\\ud800"',
        b'"\\u0041"',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        "1".encode("utf-16"),
        b"",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_json_that_another_reader_could_take_in_another_way_is_an_error(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        canonical.loads(data)


def test_letters_that_look_alike_are_two_names() -> None:
    composed, decomposed = canonical.dumps({"\u00e9": 1}), canonical.dumps({"e\u0301": 1})
    assert composed != decomposed
    assert canonical.loads(composed) != canonical.loads(decomposed)
