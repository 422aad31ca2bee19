//! The imports of the crates: no circle between files, and none between folders.
//!
//! A file that uses an item of another file of its crate has an arrow to it. These are the rules:
//!
//! - An arrow goes to the file that defines the item, also if the path leads through re-exports.
//! - Both imports (`use crate::..`, `use super::..`, `use self::..`) and paths in code are followed. Paths within the
//!   arguments of macros are not.
//! - A module that declares its children or re-exports their items has no arrow to them. If its own code uses them, it
//!   has.
//! - A file has no arrow to its parent, nor to any module above: children may use their parent.
//! - Code that only tests or fuzzers compile has no arrows.
//!
//! The children of a module are its files and folders, and a folder stands for all files in it. No children of a module
//! may form a circle.

mod arrows;
mod circles;
mod modules;
mod paths;

use self::arrows::{Arrow, arrows};
use self::modules::Modules;
use super::sources::{self, Sources};
use crate::Failure;

/// The crates that keep the rules.
const CRATES: [&str; 7] = ["core", "document", "file", "memoized", "memory", "redis", "tower"];

/// Checks the imports of all crates that keep the rules.
pub(super) fn check() -> Result<(), Failure> {
    let mut failures = Vec::new();
    for name in CRATES {
        let folder = format!("crates/{name}/src/");
        let sources = sources::read(name)?;
        let circles = circles_in(&sources).map_err(|error| format!("{folder}{error}"))?;
        println!("{name}: {} files, {} circles", sources.len(), circles.len());
        failures.extend(circles.into_iter().map(|circle| format!("{name}: {circle}")));
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}

/// Returns the circles of a crate, each as text that names every arrow and its place.
fn circles_in(sources: &Sources) -> Result<Vec<String>, Failure> {
    let modules = Modules::parse(sources)?;
    let arrows = arrows(&modules);
    let between_files = circles::of(arrows.iter().map(|arrow| (arrow.from.clone(), arrow.to.clone(), arrow)));
    let mut circles: Vec<String> = between_files
        .iter()
        .map(|circle| format!("a circle between files:\n{}", describe(circle)))
        .collect();
    for parent in modules.parents() {
        let child = |file: &str| modules.child_with(parent, file);
        let lifted = arrows
            .iter()
            .filter_map(|arrow| Some((child(&arrow.from)?, child(&arrow.to)?, arrow)));
        let lifted = lifted.filter(|(from, to, _)| from != to);
        for circle in circles::of(lifted) {
            // A circle of files alone has been reported above.
            if circle.iter().any(|(child, _)| child.ends_with('/')) {
                circles.push(format!("a circle between folders:\n{}", describe(&circle)));
            }
        }
    }
    Ok(circles)
}

fn describe(circle: &[(String, &Arrow)]) -> String {
    let (first, _) = &circle[0];
    let nexts = circle.iter().skip(1).map(|(node, _)| node).chain([first]);
    let lines = circle.iter().zip(nexts).map(|((node, arrow), next)| {
        let Arrow { from, line, path, .. } = arrow;
        format!("  {node} -> {next} ({from}:{line}: {path})")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        circles_in(&files.collect()).expect("it parses")
    }

    #[test]
    fn files_in_a_line_are_no_circle() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c; pub use self::a::A;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "use crate::c::C; pub struct B(C);"),
            ("c.rs", "pub struct C;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_circle_of_files_is_printed_with_each_arrow() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B;\npub struct A(B);"),
            ("b.rs", "\nuse crate::c::C;\npub struct B(C);"),
            ("c.rs", "pub struct C;\nfn make() -> crate::a::A { todo!() }"),
        ]);
        assert_eq!(
            found,
            [
                "a circle between files:\n  a.rs -> b.rs (a.rs:1: crate::b::B)\n  b.rs -> c.rs (b.rs:2: crate::c::C)\n  \
              c.rs -> a.rs (c.rs:2: crate::a::A)"
            ]
        );
    }

    #[test]
    fn re_exports_are_followed_to_the_definition() {
        let green = [
            ("lib.rs", "mod storage;"),
            (
                "storage/mod.rs",
                "mod error; mod lock; pub use self::error::Error; pub use self::lock::Lock;",
            ),
            ("storage/error.rs", "pub struct Error;"),
            ("storage/lock.rs", "use super::Error; pub struct Lock(Error);"),
        ];
        assert_eq!(circles(&green), [""; 0]);
        let mut red = green;
        red[2].1 = "pub struct Error(crate::storage::Lock);";
        assert_eq!(circles(&red).len(), 1);
    }

    #[test]
    fn children_may_use_their_parent_which_uses_them() {
        let found = circles(&[
            ("lib.rs", "mod visit;"),
            (
                "visit/mod.rs",
                "mod state; use self::state::State; pub struct Visit(State);",
            ),
            (
                "visit/state.rs",
                "pub struct State; impl super::Visit { fn enter(&self) {} }",
            ),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_parent_between_its_child_and_another_file_is_part_of_the_circle() {
        let found = circles(&[
            ("lib.rs", "mod visit; mod session;"),
            (
                "visit/mod.rs",
                "mod state; use self::state::State; pub struct Visit(State);",
            ),
            ("visit/state.rs", "pub struct State(crate::session::Session);"),
            ("session.rs", "pub struct Session(crate::visit::Visit);"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a circle between files:\n"), "{found:?}");
        assert!(found[0].contains("visit/mod.rs -> visit/state.rs"), "{found:?}");
        assert!(found[1].starts_with("a circle between folders:\n"), "{found:?}");
    }

    #[test]
    fn folders_form_circles_where_their_files_do_not() {
        let files = [
            ("lib.rs", "mod net; mod wait;"),
            ("net/mod.rs", "mod line; mod node;"),
            ("net/line.rs", "pub struct Line;"),
            ("net/node.rs", "use crate::wait::queue::Queue;"),
            ("wait/mod.rs", "pub mod queue; mod ear;"),
            ("wait/queue.rs", "pub struct Queue;"),
            ("wait/ear.rs", "use crate::net::line::Line;"),
        ];
        assert_eq!(
            circles(&files),
            [
                "a circle between folders:\n  net/ -> wait/ (net/node.rs:1: crate::wait::queue::Queue)\n  wait/ -> net/ \
              (wait/ear.rs:1: crate::net::line::Line)"
            ]
        );
        let mut green = files;
        green[6].1 = "";
        assert_eq!(circles(&green), [""; 0]);
    }

    #[test]
    fn folders_within_a_folder_are_checked_too() {
        let found = circles(&[
            ("lib.rs", "mod store;"),
            ("store/mod.rs", "mod locks; mod paired;"),
            ("store/locks/mod.rs", "mod slots; mod wake;"),
            ("store/locks/slots.rs", "use crate::store::paired::held::Held;"),
            ("store/locks/wake.rs", "pub struct Wake;"),
            ("store/paired/mod.rs", "pub mod held; mod watch;"),
            ("store/paired/held.rs", "pub struct Held;"),
            ("store/paired/watch.rs", "use super::super::locks::wake::Wake;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("store/locks/ -> store/paired/"), "{found:?}");
    }

    #[test]
    fn code_for_tests_has_no_arrows() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] use crate::a::A; #[cfg(test)] mod tests { use crate::a::A; } \
                 #[cfg(any(test, feature = \"__fuzzing\"))] pub mod fuzzing; \
                 impl B { #[cfg(test)] fn a() -> crate::a::A { todo!() } }",
            ),
            ("b/fuzzing.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn code_that_is_not_for_tests_alone_has() {
        let found = circles(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            (
                "b.rs",
                "pub struct B; #[cfg(not(test))] use crate::a::A; #[cfg(feature = \"x\")] mod c {}",
            ),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn paths_of_all_forms_are_followed() {
        for uses in [
            "use crate::a::A;",
            "use super::a::A;",
            "use crate::{other, a::{self, A}};",
            "use crate::a::A as B;",
            "use crate::a::*;",
            "fn a() { use crate::a::A; }",
            "fn a() { crate::a::make(); }",
            "fn a(a: super::a::A) {}",
            "use crate::A;",
            "use crate::a;",
        ] {
            let found = circles(&[
                ("lib.rs", "mod a; mod b; mod other; pub use self::a::A;"),
                ("a.rs", "use crate::b::B; pub struct A(B); pub fn make() {}"),
                ("b.rs", &format!("pub struct B; {uses}")),
                ("other.rs", ""),
            ]);
            assert_eq!(found.len(), 1, "{uses}: {found:?}");
        }
    }
}
