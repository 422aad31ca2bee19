//! The kinds of requests that are measured.

use http::Method;

use crate::contenders::Contender;
use crate::driver::{self, RequestSpec};

/// A kind of request: one client and one thread, without contention.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The name on the command line.
    pub(crate) short: &'static str,
    method: Method,
    path: &'static str,
    /// The paths that the client has visited before; empty for a first visit.
    before: &'static [&'static str],
    /// Each request needs another client, because it ends its session.
    spends: bool,
}

impl Scenario {
    /// Returns the requests for this number of repetitions, by known clients if the scenario needs them: one request
    /// that can be repeated, or one for each repetition.
    pub(crate) fn specs(&self, contender: &mut Contender, count: usize) -> Vec<RequestSpec> {
        let mut visitor = || RequestSpec {
            method: self.method.clone(),
            path: self.path,
            cookie: (!self.before.is_empty()).then(|| driver::visit(contender, self.before)),
        };
        let different = if self.spends { count } else { 1 };
        (0..different).map(|_| visitor()).collect()
    }
}

/// Returns the kinds of the quick comparison and of the budget.
pub(crate) fn quick() -> Vec<Scenario> {
    let mut scenarios = all();
    scenarios.truncate(6);
    scenarios
}

pub(crate) fn all() -> Vec<Scenario> {
    let scenario = |name, short, method, path, before| Scenario {
        name,
        short,
        method,
        path,
        before,
        spends: false,
    };
    let spends = |scenario| Scenario {
        spends: true,
        ..scenario
    };
    let (get, post) = (|| Method::GET, || Method::POST);
    vec![
        scenario("untouched, no cookie", "untouched", get(), "/plain", &[]),
        scenario("untouched, cookie", "cookie", get(), "/plain", &["/count"]),
        scenario("read one value", "read", get(), "/count", &["/count"]),
        scenario("read-modify-write", "write", post(), "/count", &["/count"]),
        scenario("update", "update", post(), "/update", &["/count"]),
        scenario("create", "create", post(), "/count", &[]),
        spends(scenario("rotate", "rotate", post(), "/rotate", &["/count"])),
        spends(scenario("destroy", "destroy", post(), "/destroy", &["/count"])),
        scenario("read 1 of 50 keys", "many", get(), "/many", &["/many"]),
        scenario(
            "read, 8 KiB record",
            "read-large",
            get(),
            "/count",
            &["/count", "/large"],
        ),
        scenario(
            "write, 8 KiB record",
            "write-large",
            post(),
            "/count",
            &["/count", "/large"],
        ),
    ]
}
