#!/usr/bin/env bash
# Expected: where two coefficients of agreement have the same value and the same standard error they have the same p-value.
# Happens: irrCAC tests Brennan and Prediger's coefficient on one side, after taking the absolute value, and the others on both: with
# 0.6 and 0.267 it has p = 0.026 where Fleiss', Conger's and Gwet's have 0.051. Of pairs of raters who guess 12% have p < 0.05, by Gwet's 7%.
source "$(dirname "$0")/_venv.sh" irrcac==0.4.4 scipy==1.12.0 numpy==1.26.4 pandas==2.2.3
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import pandas as pd
from irrCAC.raw import CAC

print("irrCAC", importlib.metadata.version("irrCAC"))
ratings = pd.DataFrame({"first": [0] * 5 + [1] * 5, "second": [0] * 4 + [1] * 5 + [0]})
agreement = CAC(ratings)
found = {name: getattr(agreement, name)()["est"] for name in ("fleiss", "conger", "gwet", "bp")}
for each in found.values():
    print(f"{each['coefficient_name']}: {each['coefficient_value']:.3f}, standard error {each['se']:.3f}, p = {each['p_value']:.3f}")
rng = np.random.default_rng(0)
guesses = [CAC(pd.DataFrame(rng.integers(0, 2, (60, 2)))) for _ in range(400)]
shares = {name: float(np.mean([getattr(each, name)()["est"]["p_value"] < 0.05 for each in guesses])) for name in ("gwet", "bp")}
print(f"two raters who guess, p below 0.05: {shares['gwet']:.1%} of the cases by Gwet's, {shares['bp']:.1%} by Brennan and Prediger's")
p = {name: each["p_value"] for name, each in found.items()}
alike = len({(each["coefficient_value"], each["se"]) for each in found.values()}) == 1
if not (alike and np.isclose(2 * p["bp"], p["fleiss"]) and np.isclose(p["gwet"], p["fleiss"]) and shares["bp"] > 0.08):
    raise SystemExit("changed")
PYTHON
