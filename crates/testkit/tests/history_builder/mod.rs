//! [`HistoryBuilder`]: builds histories by hand.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use sessile_core::{OsEntropy, SessionId, SessionKey, Timestamp};
use sessile_testkit::history::{
    Call, CallResult, Completion, History, Mark, Promise, RecordedCall, Seen, Summary, Violations, Write,
};
use std::time::Duration;

/// A history in which each call begins when the one before has completed.
#[derive(Default)]
pub struct HistoryBuilder {
    pub history: History,
    pub now: u64,
}

impl HistoryBuilder {
    /// Adds a call of this process with its result, if any.
    pub fn then(&mut self, process: u64, call: Call, result: impl Into<Option<CallResult>>) -> &mut Self {
        let (from, to) = (self.now, self.now + 1_000);
        self.now += 2_000;
        self.during(process, from, to, call, result)
    }

    /// Adds a call that overlaps others.
    pub fn during(
        &mut self,
        process: u64,
        from: u64,
        to: u64,
        call: Call,
        result: impl Into<Option<CallResult>>,
    ) -> &mut Self {
        let clock = Timestamp::from_millis(1_000);
        self.history.calls.push(RecordedCall {
            process,
            call,
            invoked: from,
            clock_before: clock,
            completion: result.into().map(|result| Completion {
                result,
                at: to,
                clock_after: clock,
            }),
        });
        self
    }

    pub fn check(&self) -> Result<Summary, Violations> {
        self.history.check()
    }

    /// Checks that there is exactly one violation, of this promise and with this description.
    #[track_caller]
    pub fn breaks(&self, promise: Promise, what: &str) {
        let violations = self.check().expect_err("this cannot be true");
        let message = violations.to_string();
        assert!(violations.contains(promise), "{message}");
        assert!(message.contains(what), "{message}");
        assert_eq!(violations.list().len(), 1, "{message}");
    }
}

pub fn key() -> SessionKey {
    SessionId::generate(&OsEntropy).key()
}

pub fn write(mark: Mark) -> Write {
    Write {
        mark: Some(mark),
        deadline: None,
    }
}

pub fn create(key: SessionKey, mark: Mark) -> Call {
    Call::Create {
        key,
        write: write(mark),
    }
}

pub fn commit(key: SessionKey, mark: Mark) -> Call {
    Call::Commit {
        key,
        write: write(mark),
    }
}

pub fn rotate(key: SessionKey, to: SessionKey, mark: Mark) -> Call {
    Call::Rotate {
        key,
        to,
        write: write(mark),
        grace: Duration::ZERO,
    }
}

pub fn found(key: SessionKey, mark: Mark) -> CallResult {
    CallResult::Found(Seen {
        key,
        mark: Some(mark),
        deadline: None,
    })
}

pub const DONE: CallResult = CallResult::Done;
