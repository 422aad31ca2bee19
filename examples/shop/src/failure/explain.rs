//! An error and what has caused it, on one line.

use std::error::Error;
use std::iter;

/// Says what failed, and after each colon why. A cause that its effect has told already is not told again.
#[must_use]
pub fn explain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !told.ends_with(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Told(&'static str, Option<Box<dyn Error>>);

    impl fmt::Display for Told {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Told {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref()
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        let refused = || Box::new(io::Error::other("refused"));
        let plain = Told("cannot connect", Some(refused()));
        assert_eq!(explain(&plain), "cannot connect: refused");
        let doubled = Told("cannot start", Some(Box::new(Told("redis: refused", Some(refused())))));
        assert_eq!(explain(&doubled), "cannot start: redis: refused");
    }
}
