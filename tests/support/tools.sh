# Finds the programs that the tests need; sourced by tests/run.

# Prints the folder of PostgreSQL's server programs, which Debian keeps off the PATH.
postgres_programs() {
  local folder
  for folder in $(dirname "$(command -v initdb || echo /none/initdb)") /usr/lib/postgresql/*/bin; do
    if [[ -x $folder/initdb ]]; then echo "$folder" && return; fi
  done
  return 1
}

# Prints where Chromium is.
chromium_program() {
  command -v chromium || command -v chromium-browser || command -v google-chrome
}

# Prints where a Python is that can make virtual environments.
python_program() {
  python3 -c 'import ensurepip, sys, venv; print(sys.executable)' 2>/dev/null
}

# Makes sure that the Debian package $1 is there when the function $2 does not find its program.
need_package() {
  local package=$1 find=$2
  if "$find" >/dev/null; then return; fi
  if ((EUID != 0)) || [[ -z $(command -v apt-get) ]]; then
    echo "Please install $package (on Debian: apt-get install $package), then run this again." >&2
    exit 1
  fi
  keep_postgres_from_starting
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
  "$find" >/dev/null
}

# Debian's package starts a server for everybody; the tests want only its programs.
keep_postgres_from_starting() {
  local settings=/etc/postgresql-common/createcluster.conf
  if [[ -e $settings ]]; then return; fi
  mkdir -p "$(dirname "$settings")"
  echo 'create_main_cluster = false' >"$settings"
}

# Makes sure of the tools that a distribution's package may be too old for.
need_program() {
  local program=$1 version=$2
  if ! command -v "$program" >/dev/null; then
    echo "Please install $program $version, then run this again." >&2
    exit 1
  fi
}

need_node() {
  need_program node '20 or newer'
  if ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
    echo "Please install Node.js 20 or newer (this is $(node --version)), then run this again." >&2
    exit 1
  fi
}
