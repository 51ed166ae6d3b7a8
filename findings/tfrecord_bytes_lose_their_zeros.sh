#!/usr/bin/env bash
# Expected: two images that tfrecord writes into one field as bytes are read again with all their bytes, as a single one is; a file is
# read from its first record to its last one.
# Happens: more than one are put into a numpy array of text, whose elements end at the last byte that is not 0: two masks of 16 bytes are
# read as 2 and as 5 bytes, a black one as none. With an index file, reading begins at a record drawn at random, another one each time.
source "$(dirname "$0")/_venv.sh" tfrecord==1.14.6 protobuf==7.36.2 crc32c==2.9.post0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from tfrecord.reader import tfrecord_loader
from tfrecord.tools.tfrecord2idx import create_index
from tfrecord.writer import TFRecordWriter

print("tfrecord", importlib.metadata.version("tfrecord"))
mask = np.zeros((4, 4), "uint8")
mask[0, :2] = 1
images = [mask.tobytes(), mask.T.tobytes(), bytes(16)]
writer = TFRecordWriter("masks.tfrecord")
for number in range(8):
    writer.write({"one": (images[0], "byte"), "many": (images, "byte"), "number": (number, "int")})
writer.close()
records = list(tfrecord_loader("masks.tfrecord", None))
lengths = [len(each) for each in records[0]["many"]]
print(f"written: {[len(each) for each in images]} bytes; read: {lengths}, as {records[0]['many'].dtype}; one alone: {len(records[0]['one'])}")
create_index("masks.tfrecord", "masks.index")
np.random.seed(0)
firsts = [int(next(iter(tfrecord_loader("masks.tfrecord", "masks.index")))["number"][0]) for _ in range(12)]
print(f"the first record, without an index: {int(records[0]['number'][0])}; with one, of 12 times: {firsts}")
if lengths != [2, 5, 0] or len(records[0]["one"]) != 16 or len(set(firsts)) < 3:
    raise SystemExit("changed")
PYTHON
