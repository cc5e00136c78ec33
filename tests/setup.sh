#!/bin/sh
# Installs the programs the tests talk to, and leaves none of them running as a service; fetches Apache Kafka.
# Without root it names what is missing and fails: a test that cannot run is not a test that passes.
set -eu

PACKAGES="dcmtk openssl orthanc orthanc-dicomweb strace mosquitto maven chromium fonts-noto-cjk nginx-light postgresql man-db mmdebstrap lintian systemd-container zstd shellcheck"
SERVICES="orthanc mosquitto nginx postgresql"
PYTHON="${PYTHON:-python3}"
POLICY=/usr/sbin/policy-rc.d

installed() {
    dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'
}

# No package of Debian holds Kafka (maven brings the Java it runs on): its jars come from Maven Central, once, into a cache outside this tree.
fetch_kafka() {
    (cd "$(dirname "$0")/.." && "$PYTHON" -m tests.partners.kafka_jars)
}

# The viewer for the browser tests, where there is Node to fetch it with; tests that need it say so where there is not.
build_ohif() {
    if command -v npm >/dev/null 2>&1; then
        (cd "$(dirname "$0")/.." && PYTHONPATH=packaging/ohif "$PYTHON" -m ohif_build)
    else
        echo "Node is not here: the tests of OHIF will be skipped. apt-get install nodejs npm" >&2
    fi
}

missing=""
for package in $PACKAGES; do
    installed "$package" || missing="$missing $package"
done
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null && ! "$PYTHON" -m virtualenv --version >/dev/null 2>&1; then
    missing="$missing python3-venv"
fi
if [ -z "$missing" ]; then
    fetch_kafka
    build_ohif
    exit
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need these programs, and there is no apt-get to install them:$missing" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need packages that are missing. As root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# Debian starts a service when it installs it, unless this file says no (policy-rc.d, exit 101).
if [ ! -e "$POLICY" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    trap 'rm -f "$POLICY"' EXIT
    trap 'exit 130' INT TERM
fi

echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null

# Nor may what we have just brought start with the machine. A service that was there before is not ours.
for service in $SERVICES; do
    case " $missing " in
    *" $service "*)
        if [ -d /run/systemd/system ]; then
            systemctl disable --now "$service" >/dev/null 2>&1 || true
        else
            [ ! -x "/etc/init.d/$service" ] || "/etc/init.d/$service" stop >/dev/null 2>&1 || true
            update-rc.d "$service" disable >/dev/null 2>&1 || true
        fi
        ;;
    esac
done

fetch_kafka
build_ohif
