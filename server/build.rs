//! Builds the pages' script and styles from `web/` with npm and esbuild, into `OUT_DIR/web`, from where they are
//! embedded into the binary.
//!
//! Nothing is written outside `OUT_DIR`: the packages are installed there too, once per lock file. The templates need
//! nothing from here, askama compiles them.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

const OLDEST_NODE: u32 = 20;

/// What `npm ci` reads.
const MANIFEST: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// What the bundle is made from, beside [`MANIFEST`].
const SOURCES: [&str; 6] = ["build.mjs", "tsconfig.json", "strings.json", "src", "styles", "assets"];

type Result<T = ()> = std::result::Result<T, String>;

fn main() {
    if let Err(reason) = build() {
        println!("cargo::error={reason}");
        process::exit(1);
    }
}

fn build() -> Result {
    let web = folder("CARGO_MANIFEST_DIR")?.join("../web");
    let out = folder("OUT_DIR")?;
    for source in MANIFEST.iter().chain(&SOURCES) {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }

    require_node()?;
    let npm = out.join("npm");
    install(&web, &npm).map_err(|error| format!("the packages of Natter's pages were not installed: {error}"))?;
    let mut bundle = Command::new("node");
    bundle.arg(web.join("build.mjs")).arg(out.join("web")).current_dir(&npm);
    run(&mut bundle).map_err(|error| format!("Natter's pages were not built: {error}"))
}

fn folder(variable: &str) -> Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("cargo sets {variable}"))
}

fn require_node() -> Result {
    let wanted = format!("Natter's pages are built with Node {OLDEST_NODE} or newer and npm");
    let node = version("node").ok_or_else(|| format!("{wanted}, but there is no `node` on the PATH"))?;
    let major = node.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < OLDEST_NODE) {
        return Err(format!("{wanted}, but `node` here is {node}"));
    }
    version("npm").map(drop).ok_or_else(|| format!("{wanted}, but there is no `npm` on the PATH"))
}

fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().to_owned())
}

/// Leaves the lock file behind as `installed`, which tells the next build that there is nothing to do.
fn install(web: &Path, npm: &Path) -> io::Result<()> {
    let lock = fs::read(web.join("package-lock.json"))?;
    let stamp = npm.join("installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    fs::create_dir_all(npm)?;
    for name in MANIFEST {
        fs::copy(web.join(name), npm.join(name))?;
    }
    run(Command::new("npm").args(["ci", "--omit=dev"]).current_dir(npm))?;
    fs::write(stamp, lock)
}

/// What the program has to say about a failure goes to standard error, which cargo shows.
fn run(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    let program = command.get_program().display();
    Err(io::Error::other(format!("`{program}` ended with {status}")))
}
