# Sourced by each finding with its pins: a venv that holds them (`venv`), and a temporary folder to work in that is removed.
set -euo pipefail
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
venv=${FINDINGS_VENV:-$temporary/venv}
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet "$@"
cd "$temporary"
