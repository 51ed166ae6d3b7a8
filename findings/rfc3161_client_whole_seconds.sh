#!/usr/bin/env bash
# Expected: the time that a timestamp token gives, with its fraction of a second (RFC 3161 allows one, and openssl prints it).
# Happens: `tst_info.gen_time` is cut to the whole second, though a datetime holds microseconds: up to a second too early.
source "$(dirname "$0")/_venv.sh" rfc3161-client==1.0.9
cat >authority.cnf <<'CONFIG'
[authority]
serial = serial
signer_cert = authority.pem
signer_key = authority.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
clock_precision_digits = 6
[extensions]
extendedKeyUsage = critical, timeStamping
[req]
distinguished_name = name
[name]
CONFIG
echo 01 >serial
echo hello >message
openssl req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -subj /CN=authority -config authority.cnf \
    -extensions extensions 2>/dev/null
for attempt in 1 2 3; do # one clock in a million stands at a whole second
    openssl ts -query -data message -sha256 -out query.tsq 2>/dev/null
    openssl ts -reply -config authority.cnf -section authority -queryfile query.tsq -out reply.tsr 2>/dev/null
    told=$(openssl ts -reply -in reply.tsr -text 2>/dev/null | grep '^Time stamp:')
    if [[ $told == *.* ]]; then break; fi
done
echo "openssl: $told"
"$venv/bin/python" - "$told" <<'PYTHON'
import importlib.metadata
import sys
from pathlib import Path

from rfc3161_client import decode_timestamp_response

print("rfc3161-client", importlib.metadata.version("rfc3161-client"))
time = decode_timestamp_response(Path("reply.tsr").read_bytes()).tst_info.gen_time
print(f"gen_time: {time.isoformat()}")
if "." not in sys.argv[1] or time.microsecond:
    raise SystemExit("changed")
PYTHON
