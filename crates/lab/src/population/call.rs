//! [`Call`]: what a process has done to sessions, when, and with which result; and its form as lines of text.

use std::collections::HashMap;
use std::fmt;

use sessile_core::SessionKey;

/// A call of one process.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The number of the process. The observers of the driver are process 0.
    pub(super) process: u64,
    pub(super) begin: u64,
    /// `None` if the process was killed meanwhile.
    pub(super) end: Option<u64>,
    pub(super) what: What,
    pub(super) outcome: Outcome,
}

/// The kind of a call. Keys are those by which the caller knew the session before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Create,
    LogIn { owner: String, from: Option<SessionKey> },
    LogOut { from: SessionKey },
    Renew { from: SessionKey },
    Write { key: SessionKey },
    Read { key: SessionKey },
    Destroy { key: SessionKey },
    End { key: SessionKey },
    EndAll { owner: String },
    EndOthers { owner: String, keep: SessionKey },
    List { owner: String },
}

/// The result of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The session was there, and now has this key; or something was ended.
    Found(Option<SessionKey>),
    /// There was no such session.
    Missing,
    /// The keys of a list.
    Listed(Vec<SessionKey>),
    /// Nothing was changed.
    Refused(String),
    /// It may have had its effect, or have it later.
    Unknown(String),
}

impl Call {
    /// Returns when the call was over: never, if that is not known.
    pub(super) fn ended(&self) -> u64 {
        self.end.unwrap_or(u64::MAX)
    }

    /// Returns whether the call may have ended sessions without being acknowledged.
    pub(super) fn may_have_ended(&self) -> bool {
        let is_unknown = matches!(self.outcome, Outcome::Unknown(_));
        is_unknown && !matches!(self.what, What::Create | What::Write { .. } | What::Read { .. })
    }

    /// Returns the new key that the call has given to a session, and its former key.
    pub(super) fn renewal(&self) -> Option<(Option<SessionKey>, SessionKey)> {
        let Outcome::Found(Some(key)) = self.outcome else {
            return None;
        };
        match self.what {
            What::Create => Some((None, key)),
            What::LogIn { from, .. } => Some((from, key)),
            What::LogOut { from } | What::Renew { from } => Some((Some(from), key)),
            _ => None,
        }
    }

    /// Returns the key of the session by which the call has found it alive.
    pub(super) fn seen(&self) -> Option<SessionKey> {
        if !matches!(self.outcome, Outcome::Found(_)) {
            return None;
        }
        match self.what {
            What::LogIn { from, .. } => from,
            What::LogOut { from: key } | What::Renew { from: key } | What::Write { key } | What::Read { key } => {
                Some(key)
            }
            _ => None,
        }
    }
}

/// An event that a process was told of.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) process: u64,
    pub(super) at: u64,
    pub(super) reason: String,
    pub(super) key: SessionKey,
}

/// The calls and events of all processes.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) calls: Vec<Call>,
    pub(super) told: Vec<Told>,
    open: HashMap<(u64, u64), usize>,
}

impl History {
    /// Adds a line of a process. Returns the key that a session has got. A line that is cut short is ignored: its
    /// process was killed.
    pub(super) fn add(&mut self, process: u64, line: &str) -> Option<SessionKey> {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["begin", number, time, ref what @ .., "."] => {
                let call = Call {
                    process,
                    begin: time.parse().ok()?,
                    end: None,
                    what: parse_what(what)?,
                    outcome: Outcome::Unknown("killed".to_owned()),
                };
                self.open.insert((process, number.parse().ok()?), self.calls.len());
                self.calls.push(call);
                None
            }
            ["end", number, time, ref outcome @ .., "."] => {
                let index = self.open.remove(&(process, number.parse().ok()?))?;
                let call = &mut self.calls[index];
                call.end = Some(time.parse().ok()?);
                call.outcome = parse_outcome(outcome)?;
                call.renewal().map(|(_, key)| key)
            }
            ["told", time, reason, key, "."] => {
                self.told.push(Told {
                    process,
                    at: time.parse().ok()?,
                    reason: reason.to_owned(),
                    key: key.parse().ok()?,
                });
                None
            }
            _ => None,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("create"),
            Self::LogIn {
                owner,
                from: Some(from),
            } => write!(f, "log-in {owner} {from}"),
            Self::LogIn { owner, from: None } => write!(f, "log-in {owner}"),
            Self::LogOut { from } => write!(f, "log-out {from}"),
            Self::Renew { from } => write!(f, "renew {from}"),
            Self::Write { key } => write!(f, "write {key}"),
            Self::Read { key } => write!(f, "read {key}"),
            Self::Destroy { key } => write!(f, "destroy {key}"),
            Self::End { key } => write!(f, "end {key}"),
            Self::EndAll { owner } => write!(f, "end-all {owner}"),
            Self::EndOthers { owner, keep } => write!(f, "end-others {owner} {keep}"),
            Self::List { owner } => write!(f, "list {owner}"),
        }
    }
}

fn parse_what(words: &[&str]) -> Option<What> {
    let key = |text: &str| text.parse::<SessionKey>().ok();
    Some(match *words {
        ["create"] => What::Create,
        ["log-in", owner] => What::LogIn {
            owner: owner.to_owned(),
            from: None,
        },
        ["log-in", owner, from] => What::LogIn {
            owner: owner.to_owned(),
            from: Some(key(from)?),
        },
        ["log-out", from] => What::LogOut { from: key(from)? },
        ["renew", from] => What::Renew { from: key(from)? },
        ["write", text] => What::Write { key: key(text)? },
        ["read", text] => What::Read { key: key(text)? },
        ["destroy", text] => What::Destroy { key: key(text)? },
        ["end", text] => What::End { key: key(text)? },
        ["end-all", owner] => What::EndAll {
            owner: owner.to_owned(),
        },
        ["end-others", owner, keep] => What::EndOthers {
            owner: owner.to_owned(),
            keep: key(keep)?,
        },
        ["list", owner] => What::List {
            owner: owner.to_owned(),
        },
        _ => return None,
    })
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(Some(key)) => write!(f, "found {key}"),
            Self::Found(None) => f.write_str("found"),
            Self::Missing => f.write_str("missing"),
            Self::Listed(keys) => {
                f.write_str("listed")?;
                keys.iter().try_for_each(|key| write!(f, " {key}"))
            }
            Self::Refused(why) => write!(f, "refused {why}"),
            Self::Unknown(why) => write!(f, "unknown {why}"),
        }
    }
}

fn parse_outcome(words: &[&str]) -> Option<Outcome> {
    Some(match words {
        ["found"] => Outcome::Found(None),
        ["found", key] => Outcome::Found(Some(key.parse().ok()?)),
        ["missing"] => Outcome::Missing,
        ["listed", keys @ ..] => Outcome::Listed(keys.iter().map(|key| key.parse().ok()).collect::<Option<_>>()?),
        ["refused", why @ ..] => Outcome::Refused(why.join(" ")),
        ["unknown", why @ ..] => Outcome::Unknown(why.join(" ")),
        _ => return None,
    })
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            begin,
            end,
            what,
            outcome,
        } = self;
        match end {
            Some(end) => write!(f, "{begin}..{end} process {process}: {what} -> {outcome}"),
            None => write!(f, "{begin}.. process {process}: {what} -> {outcome}"),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            at,
            reason,
            key,
        } = self;
        write!(f, "{at} process {process}: {key} {reason}")
    }
}
