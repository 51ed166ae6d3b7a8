"""A watermark on the command line: what it may be asked for, where its key comes from, and what it cost."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ownmark.claims.claim import Claim
from ownmark.cli.files import check_writable
from ownmark.cli.sealing import passphrase
from ownmark.data.split import Split
from ownmark.errors import UsageError
from ownmark.evidence.owner import OwnerKey, opened
from ownmark.protocols import Scheme
from ownmark.report.words import before_and_after, percent
from ownmark.scoring.null_models import KeyedLabels

if TYPE_CHECKING:
    from ownmark.cli.owner_commands import Protect


def check_asked(asked: "Protect", scheme: Scheme) -> Path:
    """Where marked weights go. Raises UsageError for what the scheme has no use for, and for a file that must not be lost."""
    weights = asked.marked or asked.out.with_suffix(".safetensors")
    if not scheme.contrast and (asked.reference or asked.references):
        raise UsageError(f"{scheme} looks at no other models: leave --reference and --references out")
    if not scheme.marks:
        if asked.marked is not None or asked.key is not None:
            raise UsageError(f"{scheme} leaves the model as it is and draws nothing from a key: leave --marked and --key out")
        return weights
    given = asked.weights is not None and asked.weights.resolve() == weights.resolve()
    if given or weights.resolve() == asked.out.resolve():
        taken = "the weights to mark lie there" if given else "the claim goes there"
        raise UsageError(f"cannot write the marked weights to {weights}: {taken}; name another file with --marked")
    if asked.marked is None and weights.exists():
        raise UsageError(f"{weights} exists, and the marked weights would take its place: name a file with --marked")
    check_writable(weights)
    return weights


def owner_of(key: Path | None) -> OwnerKey | None:
    """The owner of a key file, if one is named."""
    return None if key is None else opened(key, passphrase())


@dataclass(frozen=True)
class Mark:
    """What a watermark is: its `weights`, and the share of held-out images that the model gets right `before` and `after`."""

    weights: Path
    before: float
    after: float
    split: Split
    own_key: bool

    def record(self, claim: Claim) -> dict[str, Any]:
        """As JSON data; no logarithm of p where the labels come from no key."""
        score, null = claim.tests[0].target_score, claim.tests[0].null
        keyed = null if isinstance(null, KeyedLabels) else None
        return {
            "marked": str(self.weights),
            "accuracy_before": self.before,
            "accuracy_after": self.after,
            "held_out": self.split.origin,
            "held_out_images": len(self.split.held_out),
            "survival": score,
            "log10_p": None if keyed is None else keyed.log10_p(score),
            "log10_p_adjusted": None if keyed is None else keyed.log10_p_adjusted(score),
            "key": None if keyed is None else "owner" if self.own_key else "random",
        }

    def rows(self, claim: Claim) -> dict[str, str]:
        """As lines for people."""
        score, null = claim.tests[0].target_score, claim.tests[0].null
        count = len(claim.images)
        said = {
            "marked weights": str(self.weights),
            "accuracy before": f"{percent(self.before)} of {len(self.split.held_out)} images ({self.split.origin})",
            "accuracy after": percent(self.after),
            "survival": f"{percent(score)}: {round(score * count)} of {count} triggers",
        }
        if isinstance(null, KeyedLabels):
            where = "derived from your secret" if self.own_key else "random, and in the claim only: keep the claim secret"
            said |= {"log10 p": before_and_after(null, score), "key": where}
        return said
