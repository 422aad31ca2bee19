//! The README and the guide of the repository: their examples are compiled and run with the other tests.
//!
//! Nothing of this is in the documentation of the crate, nor needed to build it. A test sees to it that no chapter is
//! forgotten.

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
