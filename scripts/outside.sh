#!/bin/sh
# Runs the tests of the roads on PostgreSQL 15 and Redis 7 as Debian has them, instead of on the hub's own servers: throw-away data in
# a temporary folder, spare ports, and whatever happens both servers are ended by their process ids. As root it installs what is
# missing and runs PostgreSQL, which refuses root, as its system user. Arguments are handed on to pytest instead of the list below.
set -eu
cd "$(dirname "$0")/.."
bin=/usr/lib/postgresql/15/bin
roads="tests/inbox/test_door.py tests/inbox/test_ingest.py tests/inbox/test_outbound.py tests/inbox/test_media.py tests/inbox/test_work.py
    tests/inbox/test_listening.py tests/inbox/test_messengers.py tests/inbox/test_erasure.py tests/consent tests/campaigns
    tests/core/test_feed.py tests/core/test_telemetry.py tests/scenarios/test_main_job.py tests/test_tenancy.py tests/test_doctor.py
    tests/test_keys.py tests/test_metrics.py tests/test_cli.py"

if [ ! -x "$bin/postgres" ] || ! command -v redis-server >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "PostgreSQL 15 or Redis is missing. Install them with:  sudo apt-get install postgresql-15 redis-server" >&2
        exit 1
    fi
    echo "Installing PostgreSQL 15 and Redis …"
    install="apt-get install -y -qq --no-install-recommends postgresql-15 redis-server"
    DEBIAN_FRONTEND=noninteractive $install >/dev/null 2>&1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive $install >/dev/null; }
fi

as_server=""
[ "$(id -u)" != 0 ] || as_server="setpriv --reuid=postgres --regid=postgres --clear-groups"
folder=$(mktemp -d /tmp/hub-outside-XXXXXX)
postgres="" redis=""
stop() {
    status=$?
    trap - EXIT INT TERM
    for pid in $postgres $redis; do
        kill -INT "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$folder"
    exit "$status"
}
trap stop EXIT
trap 'exit 130' INT TERM

chmod 711 "$folder"
mkdir "$folder/postgres" "$folder/redis"
[ -z "$as_server" ] || chown postgres "$folder/postgres"
ports=$(.venv/bin/python -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in sockets))')
postgres_port=${ports% *} redis_port=${ports#* }

(cd / && exec $as_server "$bin/initdb" -D "$folder/postgres" -U postgres -A trust -E UTF8 --locale=C.UTF-8) >"$folder/initdb.log"
(cd / && exec $as_server "$bin/postgres" -D "$folder/postgres" -p "$postgres_port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c max_connections=100 >"$folder/postgres.log" 2>&1) &
postgres=$!
(cd "$folder/redis" && exec redis-server --bind 127.0.0.1 --port "$redis_port" --save "" --appendonly no >"$folder/redis.log") &
redis=$!
tries=0
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" && redis-cli -p "$redis_port" ping >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
        echo "The servers do not come up; their last words:" >&2
        tail -n 20 "$folder"/*.log >&2
        exit 1
    fi
    sleep 0.1
done
echo "PostgreSQL $("$bin/postgres" --version | cut -d' ' -f3) on port $postgres_port, Redis $(redis-server --version | cut -d= -f2 | cut -d' ' -f1) on port $redis_port"
[ "$#" -gt 0 ] || set -- -n 2 --dist loadgroup -m "not long and not browser" $roads
HUB_TEST_DATABASE_URL="postgresql://postgres@127.0.0.1:$postgres_port/postgres" HUB_TEST_REDIS_URL="redis://127.0.0.1:$redis_port" \
    .venv/bin/python -m pytest "$@"
