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
    /// Where the visitor has been before; nowhere, if it is the first visit.
    before: &'static [&'static str],
    /// Whether each request needs a visitor of its own, since it spends its session.
    spends: bool,
}

impl Scenario {
    /// What is to be asked so many times, by visitors whom the server knows if the scenario wants that: one request
    /// that can be sent again and again, or one for each time.
    pub(crate) fn asks(&self, contender: &mut Contender, count: usize) -> Vec<Ask> {
        let mut visitor = || Ask {
            method: self.method.clone(),
            path: self.path,
            cookie: (!self.before.is_empty()).then(|| driver::visit(contender, self.before)),
        };
        let different = if self.spends { count } else { 1 };
        (0..different).map(|_| visitor()).collect()
    }
}

/// The ones of the quick comparison, and of the budget.
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
