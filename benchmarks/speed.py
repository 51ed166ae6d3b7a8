"""Time of `protect` and of its search compared with an earlier commit, and what each claim tells apart, in turns on one machine.

Writes `speed.json`. `python benchmarks/speed.py FOLDER` compares with the code in FOLDER/src instead.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import torch

from builds import BEFORE, builds, child
from helped import helped

PAIRS, SEEDS, SAMPLES = 1, (6, 7, 8), 100  # claims of other seeds than those by which the references were chosen
HERE = Path(__file__).resolve()
COMMAND = "import sys; from ownmark.cli import main; sys.exit(main())"
TESTS = ("white_box", "black_box")
GROWING = (1, 2)  # seeds of today's references; 3 is an independent model's


def main() -> None:
    """Runs both builds in turns and records the ratios."""
    import student_zoo as zoo
    from ownmark.models.weights import save_weights
    from record import record
    from zoo import ZOO

    for make in list(zoo.zoo().values())[:14]:
        make()
    given = Path(sys.argv[1]).resolve() if sys.argv[1:] else None
    with builds(given) as both, tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        weights = folder / "target.safetensors"
        save_weights(ZOO.model(zoo.TARGET), weights)
        searches = {name: json.loads(child(code, [str(HERE), f"--search-{name}"])) for name, code in both.items()}
        seconds: dict[str, list[float]] = {name: [] for name in both}
        for turn in range(PAIRS):
            for name, code in both.items():
                seconds[name].append(protected(code, weights, folder / f"{name}-{turn}.claim"))
                sys.stderr.write(f"{name}: protect {seconds[name][-1]:.1f} s\n")
    figures = {
        "protect_over_before": median(now / old for old, now in zip(seconds["before"], seconds["now"], strict=True)),
        "search_over_before": searches["now"]["seconds"] / searches["before"]["seconds"],
        "seconds.protect": median(seconds["now"]),
        "seconds.protect.before": median(seconds["before"]),
        "references.accuracy": searches["now"]["right"]["own"],
        "references.accuracy.before": searches["before"]["right"]["own"],
        "load": max(os.getloadavg()),
    }
    for name, found in searches.items():
        after = "" if name == "now" else ".before"
        for test in TESTS:
            figures |= {f"{test}.{figure}{after}": value for figure, value in gaps(found["scores"][test]).items()}
    setting = (
        f"HAM10000 at 40x40, ResNet-18 of width 16, {SAMPLES} samples, {len(SEEDS)} claims; `ownmark protect` by `Saliency()` "
        "trains two references that grow (before: two of 10 epochs) and makes three copies, "
        f"with {torch.get_num_threads()} threads; before: {BEFORE[:7]}"
    )
    record("speed", figures, seeds={"claims": list(SEEDS)}, setting=setting)


def protected(code: Path, weights: Path, out: Path) -> float:
    """Seconds of `ownmark protect` as a person runs it, references and copies included."""
    data = Path(os.environ["OWNMARK_DATA"]) / "ham10000" / "train"
    words = ["-c", COMMAND, "protect", "ownmark:ResNet18(width=16, last_stride=1)", "--weights", str(weights)]
    words += ["--data", str(data), "--scheme", "Saliency()"]
    words += ["--size", "40", "--training", "Training(epochs=10, batch=64, rate=0.05)", "--out", str(out)]
    started = perf_counter()
    child(code, words)
    return perf_counter() - started


def search(build: str) -> dict[str, Any]:
    """CPU seconds of the search alone, one thread, and the mean score of every suspect in both tests; for one build.

    The references are those that the build trains.
    """
    from time import process_time

    import student_zoo as zoo
    from ownmark.protocols import Owner
    from ownmark.schemes.saliency.scheme import Saliency
    from ownmark.suspects.local import Local
    from ownmark.verdicts.verify import verify
    from ownmark.workflows.measuring import correct
    from zoo import ZOO

    torch.set_num_threads(1)
    full = tuple(zoo.fresh("reference", number) for number in range(2))
    references = tuple(zoo.growing(seed) for seed in GROWING) if build == "now" else full
    scheme = Saliency(samples=SAMPLES)
    owner = Owner(zoo.images(training=True), tuple(zoo.surrogate(number) for number in range(3)), references)
    independent = {f"innocent_{number}": zoo.fresh("innocent", number) for number in (0, 1)}
    independent |= {"innocent_2": zoo.fresh("reference", 2), "innocent_elsewhere": zoo.fresh("elsewhere", 0)}
    suspects = {name: zoo.copy(name) for name in zoo.COPIES} | independent
    scores: dict[str, dict[str, list[float]]] = {test: {name: [] for name in suspects} for test in TESTS}
    seconds = 0.0
    for seed in SEEDS:
        started = process_time()
        claim = scheme.protect(ZOO.model(zoo.TARGET), owner, torch.Generator().manual_seed(seed)).claim
        seconds += process_time() - started
        for name, model in suspects.items():
            verdict = verify(claim, Local(model, name=name))
            for test, finding in zip(TESTS, (verdict.deciding, *verdict.others), strict=True):
                scores[test][name].append(finding.score)
    means = {test: {name: mean(one) for name, one in each.items()} for test, each in scores.items()}
    right = {
        name: mean(correct(one, zoo.images(training=False)) for one in some)
        for name, some in {"full": full, "own": references}.items()
    }
    return {"seconds": seconds, "scores": means, "right": right}


def gaps(scores: dict[str, float]) -> dict[str, float]:
    """How far apart copies and independent models are: the least from the most, and on average."""
    innocent = [score for name, score in scores.items() if name.startswith("innocent")]
    copies = [score for name, score in scores.items() if not name.startswith("innocent")]
    return {"least_copy_minus_most_innocent": min(copies) - max(innocent), "mean_gap": mean(copies) - mean(innocent)}


if __name__ == "__main__":
    helped(__doc__, "FOLDER to compare with; --search-NAME: this process alone")
    if sys.argv[1:2] and sys.argv[1].startswith("--search-"):
        print(json.dumps(search(sys.argv[1].removeprefix("--search-"))))
    else:
        main()
