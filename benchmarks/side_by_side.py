"""What two processes do beside one process with two threads, and with one: trials of the bench, and the training of references.

Writes `side-by-side.json`. `make bench-bench-scaling` measures this, too, and the bench's memory and its attacks beside it.
"""

from bench_scaling import Size, parallel, references
from helped import helped
from record import record


def main() -> None:
    """Measures both in turn."""
    size = Size()
    figures = parallel(size) | references(size)
    setting = (
        f"{size.parallel} trials of digits (each a fine-tuning and its questions); {size.models} small networks that are trained "
        f"on {size.images} images of 40x40 for one epoch"
    )
    record("side-by-side", figures, seeds={"attacks": list(range(size.parallel))}, setting=setting)


if __name__ == "__main__":
    helped(__doc__)
    main()
