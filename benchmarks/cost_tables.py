"""Tables of time: `protect` and `verify` over the plain passes, and a client over its network."""

from shown import Figures, pairs, ratios


def speed(figures: Figures) -> str:
    """Cost of protect and verify, as ratios."""
    rows = {
        "one step of `protect` over the plain forward and backward passes that it asks for": figures["step_over_plain"],
        "the straightforward version over ours": figures["naive_over_ours"],
        "`verify` over the bare forward passes of its images": figures["verify_over_forward"],
        "a step, relative to the earlier commit": figures["step_over_before"],
        "a sample of 30 steps, relative to the earlier commit": figures["sample_over_before"],
        "`verify`, relative to the earlier commit": figures["verify_over_before"],
    }
    return ratios(rows)


def web_speed(figures: Figures) -> str:
    """Cost of a web suspect beyond the network."""
    rows = {
        "images a second over what latency and concurrency allow": f"{figures['throughput_over_ideal']:.2f}",
        "the client's own CPU, an image": f"{figures['cpu_ms']:.2f} ms",
        "of it, the PNG": f"{figures['png_ms']:.2f} ms",
    }
    return pairs(rows)
