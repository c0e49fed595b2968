#!/usr/bin/env bash
# Opens the page of `ui/` in a real browser and prints the lines that it writes. The gateway serves the page (`--ui`).
set -euo pipefail

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
# The administrator has no password until one is set, as an operator does it: with the API key.
password=$(head -c 18 /dev/urandom | base64 | tr '+/' '-_')
python=${PYTHON:-python3}
"$python" -B - "$password" <<'PYTHON'
import os, sys
from cs import CloudStack
cloud = CloudStack(endpoint=os.environ["GATEWAY_URL"], key=os.environ["GATEWAY_KEY"], secret=os.environ["GATEWAY_SECRET"])
user = cloud.listUsers(username="admin")["user"][0]
cloud.updateUser(id=user["id"], password=sys.argv[1])
PYTHON

page="${GATEWAY_URL%/client/api}/client/?password=$password"
# Its sandbox needs rights that a container may not have; the page is our own. Virtual time passes when nothing is waited for.
"$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$profile" --virtual-time-budget=300000 --dump-dom "$page" \
    2>/dev/null | sed -n 's/^.*<pre id="checks">//; s/<\/pre>.*$//; /^\(ok\|FAIL\) /p'
