//! The crates and the build time that sessions add to an axum application.
//!
//! Three throwaway applications are created below `target/`, each with its own target folder and the versions of this
//! workspace: one without sessions, one with sessile, one with tower-sessions; in memory, with cookies.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::table::Table;
use crate::{Failure, heap, machine};

/// An application.
struct Application {
    name: &'static str,
    dependency: String,
    layer: &'static str,
}

pub(crate) fn run() -> Result<(), Failure> {
    println!(
        "Crates that an axum application gains, and what its release build takes longer when nothing is built yet."
    );
    println!("In memory, with cookies; `cargo tree` for the target, and one cold `cargo build --release` each.\n");
    let root = machine::root();
    let folder = root.join("target").join("weight");
    let mut table = Table::new(["application", "crates", "gained", "build, s", "gained, s"]);
    let mut floor = None;
    for application in applications(&root) {
        let folder = folder.join(application.name.replace(' ', "-"));
        application.write(&root, &folder)?;
        let crates = crates(&folder)?;
        let seconds = build(&folder)?;
        let (least, soonest) = *floor.get_or_insert((crates, seconds));
        table.row([
            application.name.to_owned(),
            crates.to_string(),
            (crates - least).to_string(),
            format!("{seconds:.1}"),
            format!("{:.1}", seconds - soonest),
        ]);
    }
    table.print();
    Ok(())
}

fn applications(root: &Path) -> [Application; 3] {
    let facade = root.join("crates").join("sessile");
    [
        Application {
            name: "axum alone",
            dependency: String::new(),
            layer: "",
        },
        Application {
            name: "with sessile",
            dependency: format!(
                "sessile = {{ path = {facade:?}, default-features = false, features = [\"axum\", \"macros\", \"memory\"] }}"
            ),
            layer: ".layer(sessile::SessionLayer::new(\
                    sessile::Session::<sessile::Untyped, sessile::Untyped>::builder(sessile::MemoryStorage::new()).build()))",
        },
        Application {
            name: "with tower-sessions",
            dependency: "tower-sessions = { version = \"0.15\", default-features = false, features = [\"axum-core\", \
                         \"memory-store\"] }"
                .to_owned(),
            layer: ".layer(tower_sessions::SessionManagerLayer::new(tower_sessions::MemoryStore::default()))",
        },
    ]
}

impl Application {
    fn write(&self, root: &Path, folder: &Path) -> Result<(), Failure> {
        let manifest = format!(
            "[package]\nname = \"weighed\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n[workspace]\n\n\
             [dependencies]\naxum = \"0.8\"\ntokio = {{ version = \"1\", features = [\"rt-multi-thread\", \"net\"] }}\n{}\n",
            self.dependency
        );
        let source = format!(
            "fn main() {{\n    let app: axum::Router = axum::Router::new().route(\"/\", axum::routing::get(async || \
             \"ok\")){};\n    tokio::runtime::Runtime::new().unwrap().block_on(async {{\n        let listener = \
             tokio::net::TcpListener::bind(\"127.0.0.1:0\").await.unwrap();\n        axum::serve(listener, \
             app).await.unwrap();\n    }});\n}}\n",
            self.layer
        );
        let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join("src")).map_err(wrong)?;
        fs::write(folder.join("Cargo.toml"), manifest).map_err(wrong)?;
        fs::write(folder.join("src").join("main.rs"), source).map_err(wrong)?;
        // All applications use the same versions. Cargo removes unused entries.
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(wrong)?;
        let fetched = cargo(folder, "fetch").status();
        match fetched {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("the crates of {} cannot be fetched: {other:?}", self.name)),
        }
    }
}

/// Returns the number of crates that are built into the application or run while it is built, without itself.
fn crates(folder: &Path) -> Result<usize, Failure> {
    let mut tree = cargo(folder, "tree");
    tree.args(["--prefix", "none", "--edges", "normal,build", "--format", "{p}"]);
    let text = heap::output(&mut tree)?;
    let packages: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_suffix(" (*)").or(Some(line)))
        .collect();
    Ok(packages.len() - 1)
}

fn build(folder: &Path) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut build = cargo(folder, "build");
    heap::output(build.args(["--release", "--quiet"]))?;
    Ok(began.elapsed().as_secs_f64())
}

fn cargo(folder: &Path, subcommand: &str) -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = Command::new(program);
    command.current_dir(folder).arg(subcommand);
    command.env("CARGO_TARGET_DIR", folder.join("target"));
    command
}
