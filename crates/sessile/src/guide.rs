//! The guide, in chapters.
//!
//! 1. [Getting started](getting_started): from an empty project to a server that remembers its visitors
//! 2. [The lifecycle of a session](lifecycle): when it begins, is stored, gets a new id, and ends
//! 3. [Values](values): keys, namespaces, and values whose type changes
//! 4. [Expiration](expiration) of sessions, namespaces and values
//! 5. [Concurrency](concurrency): requests that meet in one session
//! 6. [Cookies and security](cookies_and_security): carriers, signatures, logins, caches
//! 7. [Behind other layers](behind_other_layers) of tower and tower-http, and in other tasks
//! 8. [Scaling out](scaling_out): several processes, and Redis with Sentinel or as a cluster
//! 9. [Sessions as a population](population): owners, lists, logging out everywhere, limits, tasks on many
//! 10. [Observing](observing): events, metrics and traces
//! 11. [Write a storage](write_a_storage): the contract, an example, and the conformance kit
//!
//! [Coming from another library](coming_from) translates calls of tower-sessions, axum_session and actix-session. The
//! [questions and answers](faq) say what is stable.
//!
//! The documentation alone contains these modules.

/// The links between chapters, for rustdoc.
///
/// Each chapter ends with definitions of the same labels, which name files, for GitHub. Markdown uses the first
/// definition of a label, so that a chapter with these before its text links to modules. A picture is no module, so
/// that rustdoc takes it from GitHub.
macro_rules! links {
    () => {
        "\
[guide::behind_other_layers]: crate::guide::behind_other_layers
[guide::concurrency]: crate::guide::concurrency
[guide::expiration]: crate::guide::expiration
[guide::expiration#limits-for-all-sessions]: crate::guide::expiration#limits-for-all-sessions
[guide::expiration#when-the-browser-closes]: crate::guide::expiration#when-the-browser-closes
[guide::lifecycle]: crate::guide::lifecycle
[guide::observing]: crate::guide::observing
[guide::population]: crate::guide::population
[guide::population#a-limit-of-devices]: crate::guide::population#a-limit-of-devices
[guide::population#ending-sessions]: crate::guide::population#ending-sessions
[guide::population#logging-in-again]: crate::guide::population#logging-in-again
[guide::population#my-sessions]: crate::guide::population#my-sessions
[guide::scaling_out#when-a-server-fails-over]: crate::guide::scaling_out#when-a-server-fails-over
[guide::two_requests]: https://raw.githubusercontent.com/sessile-rs/sessile/main/crates/sessile/guide/two-requests.svg
[guide::values]: crate::guide::values
[guide::write_a_storage]: crate::guide::write_a_storage
"
    };
}

macro_rules! chapters {
    ($($(#[$attribute:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$attribute])*
            #[doc = links!()]
            #[doc = include_str!(concat!("../guide/", $file))]
            pub mod $name {}
        )*
    };
}

chapters! {
    behind_other_layers = "behind-other-layers.md";
    coming_from = "coming-from.md";
    concurrency = "concurrency.md";
    cookies_and_security = "cookies-and-security.md";
    expiration = "expiration.md";
    faq = "faq.md";
    getting_started = "getting-started.md";
    lifecycle = "lifecycle.md";
    observing = "observing.md";
    population = "population.md";
    #[cfg(any(not(doctest), feature = "redis"))]
    scaling_out = "scaling-out.md";
    values = "values.md";
    write_a_storage = "write-a-storage.md";
}
