//! Giving locks up, and places in the server's queue.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{LockTicket, LockToken, Unlock};
use tokio::time::Instant;

use crate::acquire::CENTURY;
use crate::engine::{Engine, Kind};
use crate::error::Failure;
use crate::script;
use crate::wait::Lines;

impl Engine {
    /// Gives a lock up.
    pub(crate) async fn release(&self, ticket: &LockTicket) -> Result<(), Failure> {
        self.give_back(ticket, "").await
    }

    /// Gives up whatever this token has got, and its place in the server's queue, in the background. Until that is
    /// acknowledged, or over by itself, it is known which session a lock belongs to that is granted to it.
    pub(crate) fn abandon(&self, ticket: LockTicket) {
        // Part of the work, as that may be left to another engine, or to nobody.
        let forget = Arc::new(Forget(Arc::clone(&self.lines), ticket.token));
        self.in_background(move |engine| {
            let forget = Arc::clone(&forget);
            async move {
                let _forget = forget;
                engine.give_back_surely(&ticket, "1").await
            }
        });
    }

    /// Tries to give back until it succeeds or there is nothing left to give back: the server may be away just now, and
    /// nobody else can use the lock as long as its lease lasts.
    async fn give_back_surely(&self, ticket: &LockTicket, may_stand: &str) -> Result<(), Failure> {
        // The server does all it was asked to do within the time of a call.
        let until = self.net.deadline() + self.options.lease.min(CENTURY);
        let mut pause = Duration::from_millis(10);
        loop {
            let outcome = self.give_back(ticket, may_stand).await;
            if outcome.is_ok() || Instant::now() + pause >= until {
                return outcome;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn give_back(&self, ticket: &LockTicket, may_stand: &str) -> Result<(), Failure> {
        let release = match self.kind {
            Kind::Sessions => &script::RELEASE,
            Kind::Locks => &script::BARE_RELEASE,
        };
        let released = self.run(&ticket.key, None, |form| {
            let mut cmd = self.call(release, &ticket.key, form);
            cmd.arg(ticket.token.as_bytes()).arg(may_stand);
            cmd
        });
        released.await.map(drop)
    }
}

/// Locks that were dropped are released in the background.
impl Unlock for Engine {
    fn unlock(&self, ticket: LockTicket) {
        self.in_background(move |engine| async move { engine.give_back_surely(&ticket, "").await });
    }
}

/// Forgets a token when nothing can come for it any more, or nobody is left to see to it.
struct Forget(Arc<Lines>, LockToken);

impl Drop for Forget {
    fn drop(&mut self) {
        self.0.forget(&self.1);
    }
}
