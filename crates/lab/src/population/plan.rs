//! [`Plan`]: what a worker process does.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Events, Expiration, Limit, Session, Storage};

/// The work of a process, and the sessions that it works on.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) process: u64,
    pub(super) seed: u64,
    pub(super) tasks: u64,
    /// The number of logins of the process. With 0 it does everything, until it is stopped.
    pub(super) logins: u64,
    pub(super) owners: u64,
    /// The number of clients, each of which has one session at a time.
    pub(super) clients: u64,
    /// The maximum number of sessions of an owner; 0 for no limit.
    pub(super) limit: u64,
    pub(super) evicts: bool,
    /// The lifetime of the sessions that expire; 0 if none does.
    pub(super) lifetime_ms: u64,
    /// The time within which ends are reported; 0 if no process is told of them.
    pub(super) report_within_ms: u64,
}

/// The interval at which workers look for ends that were not reported.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);

impl Plan {
    /// Formats the plan for the environment of a worker.
    pub(super) fn text(&self) -> String {
        let Self {
            process,
            seed,
            tasks,
            logins,
            owners,
            clients,
            limit,
            evicts,
            lifetime_ms,
            report_within_ms,
        } = self;
        let evicts = u64::from(*evicts);
        format!(
            "{process} {seed} {tasks} {logins} {owners} {clients} {limit} {evicts} {lifetime_ms} {report_within_ms}"
        )
    }

    /// Returns the plan of a worker.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map_while(|number| number.parse::<u64>().ok());
        let mut number = || numbers.next();
        Some(Self {
            process: number()?,
            seed: number()?,
            tasks: number()?,
            logins: number()?,
            owners: number()?,
            clients: number()?,
            limit: number()?,
            evicts: number()? != 0,
            lifetime_ms: number()?,
            report_within_ms: number()?,
        })
    }

    /// Returns the session as an application with this plan has it.
    pub(super) fn session(&self, storage: Arc<dyn Storage>, events: Option<Events>) -> Session {
        let limit = usize::try_from(self.limit).ok().filter(|limit| *limit > 0);
        let limit = limit.map(Limit::per_owner);
        let mut builder = Session::builder(storage)
            .limit(limit.map(|limit| if self.evicts { limit.evict_oldest() } else { limit }))
            .default_expiration(Expiration::After(Duration::from_secs(3_600)))
            .lock_wait(Duration::from_secs(30));
        if let Some(events) = events {
            builder = builder.events(events);
        }
        builder.build()
    }
}
