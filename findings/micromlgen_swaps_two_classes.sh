#!/usr/bin/env bash
# Expected: a classifier that micromlgen ports to C++ for a microcontroller names the class that scikit-learn names.
# Happens: a LogisticRegression of two classes always names the other one, and a polynomial SVC of two classes one of them for all;
# with three classes both are right, as are trees and a radial SVC. Needs a C++ compiler.
source "$(dirname "$0")/_venv.sh" micromlgen==1.1.28 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 jinja2==3.1.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import re
import subprocess
from pathlib import Path

import numpy as np
from micromlgen import port
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

print("micromlgen", importlib.metadata.version("micromlgen"))
flowers, kinds = load_iris(return_X_y=True)
SHELL = """
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
using namespace std;
%s
int main() {
    Eloquent::ML::Port::%s model;
    float x[4];
    while (scanf("%%f %%f %%f %%f", x, x + 1, x + 2, x + 3) == 4) printf("%%d\\n", (int) model.predict(x));
}
"""
told = {}
for name, model in (
    ("DecisionTreeClassifier", DecisionTreeClassifier(max_depth=3, random_state=0)),
    ("SVC, radial", SVC(gamma=0.1)),
    ("SVC, polynomial", SVC(kernel="poly", gamma=0.1, degree=2)),
    ("LogisticRegression", LogisticRegression(max_iter=1000)),
):
    for count in (2, 3):
        inputs = flowers[kinds < count]
        code = port(model.fit(inputs, kinds[kinds < count]))
        Path("model.cpp").write_text(SHELL % (code, re.search(r"class (\w+)", code)[1]))
        subprocess.run(["c++", "-w", "-o", "model", "model.cpp"], check=True)
        rows = "\n".join(" ".join(str(float(value)) for value in row) for row in inputs)
        answers = subprocess.run(["./model"], input=rows, capture_output=True, text=True, check=True).stdout.split()
        told[name, count] = float(np.mean(np.array(answers, int) == model.predict(inputs)))
        print(f"{name}, {count} classes: the answers agree in {told[name, count]:.0%}, and are {sorted(set(answers))}")
wrong = {key: share for key, share in told.items() if share != 1}
if wrong != {("SVC, polynomial", 2): 0.5, ("LogisticRegression", 2): 0}:
    raise SystemExit("changed")
PYTHON
