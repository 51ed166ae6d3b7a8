#!/usr/bin/env bash
# Expected: what webdataset's TarWriter takes its WebDataset reads again: three samples of the keys "scan.1", "scan.2" and
# "scan.3" are three samples, or the writer raises.
# Happens: the reader cuts a name at its first dot, so that the three are one sample, "scan", with the fields "1.cls", "2.cls" and
# "3.cls" and no "cls". There is no warning.
source "$(dirname "$0")/_venv.sh" webdataset==1.0.2 numpy==2.4.6
"$venv/bin/python" -W ignore::ResourceWarning - <<'PYTHON'
import importlib.metadata

import webdataset

print("webdataset", importlib.metadata.version("webdataset"))
read = {}
for names in (["scan_1", "scan_2", "scan_3"], ["scan.1", "scan.2", "scan.3"]):
    with webdataset.TarWriter("samples.tar") as writer:
        for name in names:
            writer.write({"__key__": name, "cls": 7})
    samples = list(webdataset.WebDataset("samples.tar", shardshuffle=False))
    read[names[0]] = {each["__key__"]: [field for field in each if field[0] != "_"] for each in samples}
    print(f"written: {names}; read: {read[names[0]]}")
if read != {"scan_1": {f"scan_{each}": ["cls"] for each in (1, 2, 3)}, "scan.1": {"scan": ["1.cls", "2.cls", "3.cls"]}}:
    raise SystemExit("changed")
PYTHON
