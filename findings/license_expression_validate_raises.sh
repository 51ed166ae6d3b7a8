#!/usr/bin/env bash
# Expected: `validate` answers what is wrong with a licence expression in `errors`, as its docstring says, for "MIT/Apache-2.0" too,
# which Rust packages used to write, and for a list with commas.
# Happens: these two raise an AttributeError from its own report of the error; unknown names and open brackets are reported. LicenseRef-
# names, NONE, NOASSERTION and "Apache-2.0+", which SPDX allows, are unknown licences.
source "$(dirname "$0")/_venv.sh" license-expression==30.4.4
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

from license_expression import get_spdx_licensing

print("license-expression", importlib.metadata.version("license-expression"))
licensing, told = get_spdx_licensing(), {}
for text in ("MIT OR Apache-2.0", "MIT/Apache-2.0", "MIT, Apache-2.0", "Mine OR MIT", "(MIT", "LicenseRef-mine", "NOASSERTION", "Apache-2.0+"):
    try:
        told[text] = str(licensing.validate(text).errors)
    except AttributeError as error:
        told[text] = f"AttributeError: {error}"
    print(f"{text}: {told[text]}")
raised = [text for text, answer in told.items() if "AttributeError" in answer]
unknown = [text for text, answer in told.items() if "Unknown" in answer]
if raised != ["MIT/Apache-2.0", "MIT, Apache-2.0"] or unknown != ["Mine OR MIT", "LicenseRef-mine", "NOASSERTION", "Apache-2.0+"]:
    raise SystemExit("changed")
PYTHON
