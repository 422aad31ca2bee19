//! [`Ledger`]: what a Redis server says that it has spent.

use std::collections::BTreeMap;

use sessile_testkit::redis::{Admin, RedisServer};

/// Keeps a connection for questions, so that none has to be made while something is measured.
pub(super) struct Ledger {
    admin: Admin,
}

/// The resources spent by a moment, or between two of them.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    /// Processor time of the thread that runs commands, in microseconds.
    pub(super) processor: f64,
    /// Commands, be it on their own or within scripts; a script is one too.
    pub(super) commands: u64,
    /// How often the server has read from a connection.
    pub(super) reads: u64,
}

impl Ledger {
    pub(super) fn of(server: &RedisServer) -> Self {
        Self { admin: server.admin() }
    }

    /// What `work` has the server spend. Questions of the ledger itself are not in: the processor is asked about last
    /// before the work and first after it, and what the questions add to the other counts is known.
    pub(super) fn during<T>(&mut self, work: impl FnOnce() -> T) -> (T, Spent) {
        let (stats, calls) = (self.reads(), self.commands());
        let processor = self.processor();
        let result = work();
        let processor = self.processor() - processor;
        let (reads, commands) = (self.reads(), self.commands());
        // Between the two questions about reads, there are those about commands and twice about the processor, and the
        // second question itself.
        const OWN_READS: u64 = 4;
        let spent = Spent {
            processor,
            commands: commands - calls,
            reads: (reads - stats).saturating_sub(OWN_READS),
        };
        (result, spent)
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
        let asked = info.iter().filter(|(name, _)| *name != "cmdstat_info");
        asked.map(|(_, text)| calls(text)).sum()
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

/// The number of calls in a line of `INFO commandstats`.
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
        // The connection has to be there before: making it is a read of nobody's.
        assert_eq!(admin.command(&["PING"]).text(), "PONG");
        let ((), spent) = ledger.during(|| {
            for _ in 0..7 {
                admin.command(&["SET", "key", "value"]);
            }
        });
        assert_eq!((spent.commands, spent.reads), (7, 7));
    }

    #[test]
    fn what_a_script_calls_is_in() {
        let server = RedisServer::start();
        let mut admin = server.admin();
        let ((), spent) = Ledger::of(&server).during(|| {
            admin.command(&["EVAL", "redis.call('GET', 'a') return redis.call('GET', 'b')", "0"]);
        });
        assert_eq!((spent.commands, spent.reads), (3, 1));
    }
}
