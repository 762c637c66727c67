#!/usr/bin/env sh
# A test in plain shell: machins mock exec -- ./test.sh
set -eu

fail() { echo "FAILED: $*" >&2; exit 1; }

# The device of MACHINEID_DEVICE_ID is registered, and may run.
machins validate >/dev/null || fail "a registered device is allowed"

# A revoked device is denied, and guard does not start its command.
machins --quiet revoke "$MACHINEID_DEVICE_ID" --yes >/dev/null
if machins --quiet guard -- touch started 2>/dev/null; then fail "a revoked device is denied"; fi
[ ! -e started ] || fail "guard starts nothing for a revoked device"
machins --quiet unrevoke "$MACHINEID_DEVICE_ID" >/dev/null

# During an outage there is no decision, so the answer is no.
machins mock fault add '{"kind":"status","status":503,"match":{"path":"/api/v1/devices/validate"}}' >/dev/null
if machins --quiet --timeout 1 validate 2>/dev/null; then fail "an outage is a denial"; fi
machins mock fault clear >/dev/null
machins mock requests wait --path /api/v1/devices/validate --status 503 >/dev/null \
    || fail "the outage was seen"
machins validate >/dev/null || fail "the outage has ended"

echo "ok"
