//! The kinds of requests that are measured.

use http::Method;

use crate::contenders::Contender;
use crate::driver::{self, Ask};

/// A kind of request: one visitor, one thread, nobody in the way.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What it is called on the command line.
    pub(crate) short: &'static str,
    method: Method,
    path: &'static str,
    /// Whether the visitor has been here before.
    returning: bool,
}

impl Scenario {
    /// The request, by a visitor whom the server knows if the scenario wants that.
    pub(crate) fn ask(&self, contender: &mut Contender) -> Ask {
        Ask {
            method: self.method.clone(),
            path: self.path,
            cookie: self.returning.then(|| driver::visit(contender)),
        }
    }
}

pub(crate) fn all() -> [Scenario; 5] {
    let scenario = |name, short, method, path, returning| Scenario {
        name,
        short,
        method,
        path,
        returning,
    };
    [
        scenario("untouched, no cookie", "untouched", Method::GET, "/plain", false),
        scenario("untouched, cookie", "cookie", Method::GET, "/plain", true),
        scenario("read one value", "read", Method::GET, "/count", true),
        scenario("read-modify-write", "write", Method::POST, "/count", true),
        scenario("create", "create", Method::POST, "/count", false),
    ]
}
