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

# Prints where the library is from which a program takes another time.
faketime_library() {
  local file
  for file in /usr/lib/*/faketime/libfaketimeMT.so.1; do
    if [[ -e $file ]]; then echo "$file" && return; fi
  done
  return 1
}

systemd_analyzer() {
  command -v systemd-analyze
}

# Prints where program $1 is, on the PATH, where only root looks, or unpacked.
program_of() {
  PATH="$PATH:/usr/sbin:$target/debian/usr/sbin:$target/debian/usr/bin" command -v "$1"
}

# Makes sure of program $2 of the Debian package $1. It is not installed, as a server would be started for everybody.
need_unpacked() {
  local package=$1 program=$2 folder
  if program_of "$program" >/dev/null; then return; fi
  folder=$(mktemp -d "$scratch/$package.XXXXXX")
  if ((EUID == 0)) && [[ -n $(command -v apt-get) ]]; then apt-get update -qq; fi
  # By root itself: apt's own user may not write into a folder of ours.
  if ! (cd "$folder" && apt-get download -qq --option APT::Sandbox::User=root "$package"); then
    echo "Please install $program, then run this again." >&2
    exit 1
  fi
  mkdir -p "$target/debian"
  dpkg-deb --extract "$folder"/*.deb "$target/debian"
  program_of "$program" >/dev/null
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
