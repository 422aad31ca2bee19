//! [`storage_tests!`](crate::storage_tests), which turns the list of cases into tests.

/// Tests a storage with one test for each [case](crate::Case), under the name of the case.
///
/// The argument is an async function or closure without arguments that returns a [`Subject`](crate::Subject): an empty
/// storage for each case, used by nothing else. If the storage has [immediate
/// functions](sessile_core::Storage::immediate), the case runs a second time, on its own storage, through those.
///
/// Each group of cases becomes a module, so call the macro in its own module if names collide.
///
/// ```
/// mod conformance {
///     use sessile_testkit::{ModelStorage, Profile, Subject, storage_tests};
///
///     async fn subject() -> Subject {
///         Subject::new(ModelStorage::new().with_max_waiters(8), Profile::paused().with_max_waiters(8).with_usage())
///     }
///
///     storage_tests!(subject);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! storage_tests {
    ($factory:expr $(,)?) => {
        $crate::__with_cases! { [$crate::__emit_tests] (run $factory) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __emit_tests {
    (($run:ident $factory:expr) $($group:ident $kind:ident [$($case:ident)*])*) => {$(
        mod $group {
            #[allow(unused_imports)]
            use super::*;

            $($crate::__emit_test! { $kind $group $case ($run $factory) })*
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __emit_test {
    (single $group:ident $case:ident $factory:tt) => {
        #[$crate::__private::tokio::test(crate = "::sessile_testkit::__private::tokio")]
        async fn $case() {
            $crate::__run_case!($group $case $factory)
        }
    };
    (parallel $group:ident $case:ident $factory:tt) => {
        #[$crate::__private::tokio::test(
            flavor = "multi_thread",
            worker_threads = 4,
            crate = "::sessile_testkit::__private::tokio"
        )]
        async fn $case() {
            $crate::__run_case!($group $case $factory)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __run_case {
    ($group:ident $case:ident ($run:ident $factory:expr)) => {
        $crate::__private::$run(concat!(stringify!($group), "::", stringify!($case)), $factory).await
    };
}
