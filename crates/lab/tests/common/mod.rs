//! Helpers that run a case which should fail.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test binary uses a part of it"
)]

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::thread;

use sessile_testkit::{Case, StoreCase, StoreSubject, Subject};
use tokio::runtime::{Builder, Runtime};

/// The name of threads whose panics are expected and print nothing.
const QUIET: &str = "case";

/// Returns the message with which the case of this name fails on a storage. `None` if it passes.
pub(crate) fn failure(name: &str, subject: impl Fn() -> Subject + Send + Sync) -> Option<String> {
    let case = Case::all().iter().find(|case| case.name() == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
    panic_of(case.is_parallel(), |runtime| {
        runtime.block_on(async { case.run(subject()).await });
    })
}

/// Returns the message with which the case of this name fails on a record store. `None` if it passes.
pub(crate) fn store_failure(name: &str, subject: impl Fn() -> StoreSubject + Send + Sync) -> Option<String> {
    let case = StoreCase::all().iter().find(|case| case.name() == name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
    panic_of(case.is_parallel(), |runtime| {
        runtime.block_on(async { case.run(subject()).await });
    })
}

/// Asserts that each of these cases fails, and none by coming to no end.
pub(crate) fn assert_caught(bug: impl Display, cases: &[&str], failure: impl Fn(&str) -> Option<String>) {
    for name in cases {
        let failure = failure(name).unwrap_or_else(|| panic!("{bug} is not caught by {name}"));
        assert!(
            !failure.contains("did not come to an end"),
            "{bug} makes {name} hang instead of fail"
        );
    }
}

/// Makes a test of each bug and the cases that catch it, by a function `assert_caught` in scope, and the list `PROOFS`.
macro_rules! proofs {
    ($bugs:ident; $($test:ident: $bug:ident => [$($case:literal,)+];)+) => {
        $(#[test]
        fn $test() {
            assert_caught($bugs::$bug, &[$($case),+]);
        })+

        const PROOFS: &[($bugs, &[&str])] = &[$(($bugs::$bug, &[$($case),+])),+];
    };
}

pub(crate) use proofs;

/// Returns the message of the case's panic.
fn panic_of(parallel: bool, case: impl Fn(&Runtime) + Send + Sync) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(QUIET) {
                loud(info);
            }
        }));
    });
    let run = || {
        let mut builder = if parallel {
            Builder::new_multi_thread()
        } else {
            Builder::new_current_thread()
        };
        let runtime = builder
            .worker_threads(4)
            .thread_name(QUIET)
            .enable_all()
            .build()
            .expect("runtime");
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            case(&runtime);
        }));
        runtime.shutdown_background();
        let panic = outcome.err()?;
        let text = panic.downcast_ref::<String>().cloned();
        Some(
            text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
                .unwrap_or_default(),
        )
    };
    // A race between two threads may need more than one attempt.
    let attempts = if parallel { 8 } else { 1 };
    thread::scope(|scope| {
        let attempt = |_| {
            let thread = thread::Builder::new()
                .name(QUIET.into())
                .spawn_scoped(scope, run)
                .expect("thread");
            thread.join().expect("panics are caught")
        };
        (0..attempts).find_map(attempt)
    })
}
