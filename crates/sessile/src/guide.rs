//! Compiles and runs the examples of the README and the guide of the repository as doctests.
//!
//! Only doctests compile this module. A test checks that no chapter is missing.

macro_rules! pages {
    ($($(#[$attribute:meta])* $name:ident = $path:literal;)*) => {
        $(
            $(#[$attribute])*
            #[doc = include_str!(concat!("../../../", $path))]
            mod $name {}
        )*
    };
}

pages! {
    readme = "README.md";
    compare = "COMPARE.md";
    security = "SECURITY.md";
    behind_other_layers = "docs/behind-other-layers.md";
    coming_from = "docs/coming-from.md";
    concurrency = "docs/concurrency.md";
    cookies_and_security = "docs/cookies-and-security.md";
    expiration = "docs/expiration.md";
    faq = "docs/faq.md";
    getting_started = "docs/getting-started.md";
    lifecycle = "docs/lifecycle.md";
    performance = "docs/performance.md";
    promises = "docs/promises.md";
    #[cfg(feature = "redis")]
    scaling_out = "docs/scaling-out.md";
    values = "docs/values.md";
    write_a_storage = "docs/write-a-storage.md";
}
