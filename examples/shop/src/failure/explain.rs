//! Formats an error and its causes on one line.

use std::error::Error;
use std::iter;

/// Formats the error, followed by each of its causes after a colon. Omits causes that the text already ends with.
#[must_use]
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Described(&'static str, Option<Box<dyn Error>>);

    impl fmt::Display for Described {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Described {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref()
        }
    }

    #[test]
    fn a_cause_is_shown_once() {
        let refused = || Box::new(io::Error::other("refused"));
        let plain = Described("cannot connect", Some(refused()));
        assert_eq!(explain(&plain), "cannot connect: refused");
        let doubled = Described(
            "cannot start",
            Some(Box::new(Described("redis: refused", Some(refused())))),
        );
        assert_eq!(explain(&doubled), "cannot start: redis: refused");
    }
}
