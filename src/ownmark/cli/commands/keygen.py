"""The command that makes an owner's key. No torch."""

from dataclasses import dataclass
from typing import ClassVar

from ownmark.cli.answer import Answer
from ownmark.cli.evidence_options import OwnKey
from ownmark.cli.sealing import passphrase
from ownmark.files import check_writable


@dataclass(frozen=True, kw_only=True)
class Keygen:
    """Make an owner's or a judge's key: OWNER.key signs and holds a mark's secret, OWNER.pub may be shown to anybody."""

    example: ClassVar[str] = "ownmark keygen OWNER.key"
    key: OwnKey

    def run(self) -> Answer:
        from ownmark.cli.render_evidence import keys_answer
        from ownmark.workflows.seal import keygen

        check_writable(self.key)
        return keys_answer(keygen(self.key, passphrase(twice=True)))
