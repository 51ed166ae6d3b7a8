#!/usr/bin/env bash
# Expected: the supplier of a package that spdx-tools writes into an SPDX document is read again by spdx-tools as it was, or is refused: an
# organization named "Institute of Imaging (IoI)" without an address, say.
# Happens: in all five formats it is read as "Institute of Imaging" with the e-mail address "IoI". Neither the document that was written
# nor the one that was read is objected to by the validator.
source "$(dirname "$0")/_venv.sh" spdx-tools==0.8.5
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import datetime
import importlib.metadata
import io

with contextlib.redirect_stdout(io.StringIO()):
    from spdx_tools.spdx.model import (
        Actor, ActorType, CreationInfo, Document, Package, Relationship, RelationshipType, SpdxNoAssertion,
    )
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
    from spdx_tools.spdx.writer.write_anything import write_file

print("spdx-tools", importlib.metadata.version("spdx-tools"))
supplier = Actor(ActorType.ORGANIZATION, "Institute of Imaging (IoI)")
made = CreationInfo(
    "SPDX-2.3", "SPDXRef-DOCUMENT", "model", "https://example.org/model", [supplier], datetime.datetime(2026, 1, 1)
)
package = Package("SPDXRef-model", "model", SpdxNoAssertion(), files_analyzed=False, supplier=supplier)
document = Document(made, [package], relationships=[Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, "SPDXRef-model")])
print(f"written: {supplier.name!r}, address {supplier.email}; objections: {len(validate_full_spdx_document(document))}")
found = set()
for name in ("model.spdx", "model.json", "model.yaml", "model.xml", "model.rdf.xml"):
    write_file(document, name)
    again = parse_file(name)
    read = again.packages[0].supplier
    found.add((read.name, read.email, len(validate_full_spdx_document(again))))
    print(f"{name}: {read.name!r}, address {read.email!r}; objections: {len(validate_full_spdx_document(again))}")
if found != {("Institute of Imaging", "IoI", 0)}:
    raise SystemExit("changed")
PYTHON
