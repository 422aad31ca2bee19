//! [`Ledger`]: the resources that a Redis server reports as usage.

use std::collections::BTreeMap;

use sessile_lab::redis::{Admin, RedisServer};

/// Keeps a connection for its queries, so that none is opened during a measurement.
pub(super) struct Ledger {
    admin: Admin,
}

/// The resources usage until some time, or between two times.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Usage {
    /// CPU time of the thread that runs commands, in microseconds.
    pub(super) processor: f64,
    /// Commands, alone or within scripts; a script counts as one, too.
    pub(super) commands: u64,
    /// The number of reads from connections.
    pub(super) reads: u64,
}

impl Ledger {
    pub(super) fn of(server: &RedisServer) -> Self {
        Self { admin: server.admin() }
    }

    /// Returns the resources that the server spends for `work`. Queries of the ledger itself do not count: the CPU time
    /// is queried last before the work and first after it, and the additions of the queries to the other counts are
    /// known.
    pub(super) fn during<T>(&mut self, work: impl FnOnce() -> T) -> (T, Usage) {
        let (stats, calls) = (self.reads(), self.commands());
        let processor = self.processor();
        let result = work();
        let processor = self.processor() - processor;
        let (reads, commands) = (self.reads(), self.commands());
        // Between the two queries of reads, there are those of commands, two of the CPU time, and the second query
        // itself.
        const OWN_READS: u64 = 4;
        let usage = Usage {
            processor,
            commands: commands - calls,
            reads: (reads - stats).saturating_sub(OWN_READS),
        };
        (result, usage)
    }

    fn processor(&mut self) -> f64 {
        let info = self.info("cpu");
        let seconds = |field: &str| info.get(field).and_then(|text| text.parse::<f64>().ok());
        let parts = ["used_cpu_user_main_thread", "used_cpu_sys_main_thread"].map(seconds);
        parts.iter().flatten().sum::<f64>() * 1e6
    }

    fn reads(&mut self) -> u64 {
        let info = self.info("stats");
        let reads = info.get("total_reads_processed");
        reads.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn commands(&mut self) -> u64 {
        let info = self.info("commandstats");
        let counted = info.iter().filter(|(name, _)| *name != "cmdstat_info");
        counted.map(|(_, text)| calls(text)).sum()
    }

    fn info(&mut self, section: &str) -> BTreeMap<String, String> {
        parse(&self.admin.command(&["INFO", section]).text())
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// Returns the number of calls in a line of `INFO commandstats`.
fn calls(text: &str) -> u64 {
    let calls = text.strip_prefix("calls=").and_then(|rest| rest.split(',').next());
    calls.and_then(|calls| calls.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_questions_are_not_in() {
        let server = RedisServer::start();
        let mut ledger = Ledger::of(&server);
        let mut admin = server.admin();
        // Connect first, because a new connection is a read of its own.
        assert_eq!(admin.command(&["PING"]).text(), "PONG");
        let ((), usage) = ledger.during(|| {
            for _ in 0..7 {
                admin.command(&["SET", "key", "value"]);
            }
        });
        assert_eq!((usage.commands, usage.reads), (7, 7));
    }

    #[test]
    fn what_a_script_calls_is_in() {
        let server = RedisServer::start();
        let mut admin = server.admin();
        let ((), usage) = Ledger::of(&server).during(|| {
            admin.command(&["EVAL", "redis.call('GET', 'a') return redis.call('GET', 'b')", "0"]);
        });
        assert_eq!((usage.commands, usage.reads), (3, 1));
    }
}
