#!/usr/bin/env bash
# Expected: metadata that GGUFWriter takes GGUFReader reads again as it was, or the writer raises.
# Happens: an empty text and an empty list are not written at all, so that their keys are missing, and a list of lists is read as
# one flat list; no error and no warning.
source "$(dirname "$0")/_venv.sh" gguf==0.19.0 numpy==2.4.6
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

import gguf

print("gguf", importlib.metadata.version("gguf"))
writer = gguf.GGUFWriter("model.gguf", "none")
written = {"owner": "someone", "note": "", "sides": [224, 224], "classes": [], "boxes": [[1, 2], [3, 4, 5]]}
for key, value in written.items():
    (writer.add_string if isinstance(value, str) else writer.add_array)(key, value)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
fields = gguf.GGUFReader("model.gguf").fields
read = {key: fields[key].contents() for key in written if key in fields}
print("written:", written)
print("read:   ", read)
if read != {"owner": "someone", "sides": [224, 224], "boxes": [1, 2, 3, 4, 5]}:
    raise SystemExit("changed")
PYTHON
