//! Handlers: what an application does after an edit.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::LivePage;
use crate::change::Change;
use crate::error::DocumentError;
use crate::path::Path;

type Running = Pin<Box<dyn Future<Output = Result<(), DocumentError>> + Send>>;

/// A handler and the paths that it is for.
pub(super) struct Handler {
    pattern: Path,
    run: Box<dyn Fn(LivePage, Change) -> Running + Send + Sync>,
}

impl Handler {
    pub(super) fn new<F>(pattern: &str, handler: impl Fn(LivePage, Change) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), DocumentError>> + Send + 'static,
    {
        Self {
            pattern: Path::parse(pattern).expect("the pattern of a handler is a JSON pointer"),
            run: Box::new(move |page, change| Box::pin(handler(page, change))),
        }
    }

    /// Runs the handler if the change is one that it is for.
    pub(super) async fn run(&self, page: &LivePage, change: &Change) -> Result<(), DocumentError> {
        if !self.is_for(&change.path) {
            return Ok(());
        }
        (self.run)(page.clone(), change.clone()).await
    }

    fn is_for(&self, path: &str) -> bool {
        let Ok(path) = Path::parse(path) else { return false };
        let mut tokens = self.pattern.tokens().iter().zip(path.tokens());
        self.pattern.len() == path.len() && tokens.all(|(pattern, token)| pattern == "*" || pattern == token)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handler").field(&self.pattern.to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_token() {
        let is_for = |pattern, path| Handler::new(pattern, async |_, _| Ok(())).is_for(path);
        assert!(is_for("/a/*/t$", "/a/12/t$"));
        assert!(is_for("/n$", "/n$"));
        assert!(!is_for("/a/*", "/a/1/t$"));
        assert!(!is_for("/n$", "/m$"));
    }
}
