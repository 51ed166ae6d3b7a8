"""The command that weighs two claimants. No torch, unless a model needs it."""

from dataclasses import dataclass
from typing import ClassVar

from ownmark.cli import evidence_options as options
from ownmark.cli.answer import Answer
from ownmark.cli.options import AllowCode, AllowExternal, Layer, ModelOfFiles, Output, Outputs


@dataclass(frozen=True, kw_only=True)
class Dispute:
    """Weigh two claimants of one suspect: whose mark is in whose model? UNRESOLVED unless it is clear."""

    example: ClassVar[str] = (
        "ownmark dispute A.opened B.opened suspect.onnx --first-model a.onnx --second-model b.onnx --root tsa.pem"
    )
    first: options.First
    second: options.Second
    suspect: options.DisputedSuspect
    first_model: options.FirstModel
    second_model: options.SecondModel
    model: ModelOfFiles = None
    outputs: Outputs = None
    output: Output = ""
    layer: Layer = ""
    allow_external: AllowExternal = False
    allow_code: AllowCode = False
    root: options.Root = None
    pool: options.Pool = None
    seen: options.Seen = None

    def run(self) -> Answer:
        from ownmark.cli.console import Terminal
        from ownmark.cli.hearings import at_layer, near_of
        from ownmark.cli.render_evidence import dispute_answer
        from ownmark.workflows.dispute import DisputeRequest, dispute
        from ownmark.workflows.terms import trusted

        seen = options.first_seen(self.seen)
        one, other = (near_of(self, file) for file in (self.first, self.second))
        for how, name in ((one, self.first_model), (other, self.second_model), (one, self.suspect)):
            how.check(name)
        asked = at_layer(one, self.layer, self.suspect)
        contest = DisputeRequest(
            first=self.first,
            second=self.second,
            first_model=one.suspect(self.first_model),
            second_model=other.suspect(self.second_model),
            suspect=asked.suspect(self.suspect),
            trust=trusted(roots=self.root, pool=self.pool),
            seen=seen,
        )
        return dispute_answer(dispute(contest, Terminal()))
