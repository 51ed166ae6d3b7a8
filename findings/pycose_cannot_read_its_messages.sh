#!/usr/bin/env bash
# Expected: pycose, installed as it asks to be, reads the signed message that it has just written.
# Happens: it requires any cbor2, and since cbor2 6 the contents of a tag are a tuple and a frozendict where they were a list and a dict:
# `decode` raises "Bytes cannot be decoded as COSE message" on every message. With cbor2 5.9 the same bytes are read and verify.
source "$(dirname "$0")/_venv.sh" pycose==1.1.0 cbor2==6.3.0
cat >message.py <<'PYTHON'
import importlib.metadata
import sys
from pathlib import Path

from pycose.algorithms import EdDSA
from pycose.headers import Algorithm
from pycose.keys import OKPKey
from pycose.messages import CoseMessage, Sign1Message

print("pycose", importlib.metadata.version("pycose"), "cbor2", importlib.metadata.version("cbor2"))
if not Path("message").exists():
    key = OKPKey.generate_key("ED25519")
    message = Sign1Message(phdr={Algorithm: EdDSA}, payload=b"mine")
    message.key = key
    Path("message").write_bytes(message.encode())
    Path("key").write_bytes(key.d + key.x)
key = OKPKey(crv="ED25519", d=Path("key").read_bytes()[:32], x=Path("key").read_bytes()[32:])
try:
    message = CoseMessage.decode(Path("message").read_bytes())
    message.key = key
    told = f"verified: {message.verify_signature()}"
except TypeError as error:
    told = f"TypeError: {error}"
print(told)
sys.exit(0 if told == sys.argv[1] else "changed")
PYTHON
"$venv/bin/python" -W ignore message.py "TypeError: Bytes cannot be decoded as COSE message"
"$venv/bin/pip" install --quiet cbor2==5.9.0
"$venv/bin/python" -W ignore message.py "verified: True"
