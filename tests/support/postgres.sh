# One PostgreSQL cluster for a run of the tests, in a folder of its own; sourced by tests/run and tests/faults/run.

# Starts it and exports NATTER_TEST_POSTGRES, the URL of a superuser.
start_postgres() {
  local port
  PATH="$(postgres_programs):$PATH"
  postgres_folder=$(mktemp -d "${TMPDIR:-/tmp}/natter-postgres.XXXXXX")
  if ((EUID == 0)); then chown "$(postgres_owner)" "$postgres_folder"; fi
  port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
  as_postgres_owner initdb --pgdata="$postgres_folder/data" --username=natter --auth=trust \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$postgres_folder/initdb.log"
  cat >>"$postgres_folder/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$postgres_folder'
max_connections = 300
# They would cost time and only matter when the machine crashes, not when a test kills natter.
fsync = off
full_page_writes = off
END
  launch_postgres
  export NATTER_TEST_POSTGRES="postgres://natter@127.0.0.1:$port/postgres"
}

# Stops it and removes its folder.
stop_postgres() {
  if [[ -e $postgres_folder/data/postmaster.pid ]]; then halt_postgres || true; fi
  rm -rf "$postgres_folder"
}

# Starts it, or starts it again.
launch_postgres() {
  as_postgres_owner pg_ctl start --wait --silent --pgdata="$postgres_folder/data" --log="$postgres_folder/data/log"
}

# Ends it as a crash would.
halt_postgres() {
  as_postgres_owner pg_ctl stop --mode=immediate --silent --pgdata="$postgres_folder/data"
}

# PostgreSQL refuses to run as root.
as_postgres_owner() {
  if ((EUID == 0)); then (cd / && runuser -u "$(postgres_owner)" -- env PATH="$PATH" "$@"); else "$@"; fi
}

postgres_owner() {
  if id postgres &>/dev/null; then echo postgres; else echo nobody; fi
}
