"""Tables of what a verdict is worth: rates of false accusation, forged claims, and tests that stop early."""

from shown import Figures, pairs, percent

ROUTES = {
    "rank": "a fingerprint, by rank among 19 innocents",
    "rank_among_clones": "the same among 30, of which 20 are copies of the others",
    "strata": "by rank in two strata of a judge, the harder one",
    "keyed": "a keyed watermark",
    "sequential": "the same, stopped at the first trigger that decides",
    "access_chosen": "the luckiest of three accesses, none of them named: p pays for three",
    "access_named": "the same, one of them named beforehand",
    "scan_at_once": "any of 20 innocents, scanned at once",
    "scan_one_by_one": "the same, one by one",
    "scan_in_portions": "the same, five at a time",
}


def accusations(figures: Figures) -> str:
    """The false-accusation rate of each route."""
    lines = ["| route to a verdict | stated | found | exact 99 % interval | trials |", "|---|---|---|---|---|"]
    for key, title in ROUTES.items():
        low, high = (percent(figures[f"{key}.{end}"]) for end in ("low", "high"))
        cells = [title, percent(figures[f"{key}.stated"]), percent(figures[f"{key}.found"]), f"{low} to {high}"]
        lines.append(f"| {' | '.join(cells)} | {figures[f'{key}.trials']:.0f} |")
    former = {
        "scan_one_by_one": "one by one, each at the whole rate",
        "access_chosen": "the luckiest of three accesses, at the whole rate",
    }
    for key, title in former.items():
        if f"unshared.{key}" in figures:
            lines.append(f"| {title}, as it was | | {percent(figures[f'unshared.{key}'])} | | |")
    return "\n".join(lines) + "\n"


FORGERIES = {
    "arranged": "the pool arranged to the key",
    "ordered": "the classes put in order after asking",
    "planted": "answers planted in a ledger or a scan",
    "faced": "images that speak only behind a front",
    "faced_without_fronts": "the same, before a judge who tries no fronts",
}


def forger(figures: Figures) -> str:
    """Forged and genuine claims before the same judge."""
    forged, genuine = int(figures["forged_tried"]), int(figures["genuine_tried"])
    rows = {
        "forged claims upheld by a judge with references of his own": f"{figures['forged_upheld']:.0f} of {forged}",
        "the same, where the forger's innocents are believed and images are not made anew": (
            f"{figures['forged_upheld_without_a_judge']:.0f} of {forged}"
        ),
        "forged claims that could be stated as keyed, labels and images": f"{figures['forged_stated_as_keyed']:.0f} of {forged}",
        "forged images that an independent model answers as the forger wants": percent(figures["forged_score"]),
        "genuine claims upheld, on a copy and a fine-tuned copy": f"{figures['genuine_upheld']:.0f} of {genuine}",
    }
    lines = [pairs(rows)]
    lines += ["| forgery | attempts | refused | upheld | the best matches on an honest model |", "|---|---|---|---|---|"]
    for key, title in (one for one in FORGERIES.items() if f"{one[0]}_tried" in figures):
        counts = [f"{figures[f'{key}_{one}']:.0f}" for one in ("tried", "refused", "upheld")]
        lines.append(f"| {title} | {' | '.join(counts)} | {percent(figures[f'{key}_score'])} |")
    return "\n".join(lines) + "\n"


def grinding(figures: Figures) -> str:
    """False matches of independent models, and the number that the committed rate allows."""
    rows = {
        "the luckiest of all keys": "luckiest",
        "any one key": "one_key",
        "a fingerprint, by rank": "ranked",
    }
    lines = ["| each model accused by | false MATCH | p at most alpha before the factor |", "|---|---|---|"]
    for title, key in rows.items():
        plain = figures.get(f"{key}.without_factor")
        lines.append(f"| {title} | {figures[f'{key}.false_match']:.0f} | {'' if plain is None else f'{plain:.0f}'} |")
    allowed = f"of {figures['models']:.0f} models; {figures['bound']:.0f} are allowed by chance (99 %)"
    return "\n".join([*lines, f"| {allowed} | | |"]) + "\n"


def sequential(figures: Figures) -> str:
    """Queries of 100 triggers that early stopping needs, with and without the allowance for tried keys."""
    rows = {f"copy, {rate} % of the marks survived": f"copy_{rate}" for rate in (100, 95, 90, 80, 60)}
    head = "| suspect | median queries, keys may have been tried | decided for the mark | median queries, they were not |"
    lines = [f"{head} decided for the mark |", "|---" * 5 + "|"]
    for title, key in (rows | {"innocent": "innocent"}).items():
        cells = [
            cell
            for bits in ("bits_64", "bits_0")
            for cell in (f"{figures[f'{bits}.{key}.median_queries']:.0f}", percent(figures[f"{bits}.{key}.matched"]))
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
