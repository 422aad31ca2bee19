//! The environment that the figures of a run depend on.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the root of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Returns the machine, the system, the date and the versions, one per line.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lines = [
        ("processor", format!("{}, {cores} cores in use", processor())),
        ("kernel", said("uname", &["-sr"])),
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("load when it began", first_line("/proc/loadavg")),
        ("rustc", said("rustc", &["--version"])),
        ("redis-server", said("redis-server", &["--version"])),
        ("crates", crates()),
    ];
    lines.map(|(what, text)| format!("{what}: {text}\n")).concat()
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, model)| model.to_owned())
}

fn first_line(path: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// Returns the versions of the compared crates and of their shared dependencies.
fn crates() -> String {
    const NAMES: [&str; 14] = [
        "sessile",
        "axum",
        "hyper",
        "tokio",
        "redis",
        "fred",
        "tower-sessions",
        "tower-sessions-moka-store",
        "tower-sessions-redis-store",
        "axum_session",
        "axum_session_redispool",
        "actix-web",
        "actix-session",
        "moka",
    ];
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap_or_default();
    let packages = || lock.split("[[package]]\n").filter_map(package);
    let versions = NAMES.iter().map(|wanted| {
        let versions: Vec<_> = packages()
            .filter(|(name, _)| name == wanted)
            .map(|(_, version)| version)
            .collect();
        format!("{wanted} {}", versions.join(" and "))
    });
    versions.collect::<Vec<_>>().join(", ")
}

/// Returns the name and version of an entry in `Cargo.lock`.
fn package(entry: &str) -> Option<(&str, &str)> {
    let value = |key: &str| {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
    };
    Some((value("name")?, value("version")?))
}
