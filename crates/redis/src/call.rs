//! Calling scripts, with or without the queue, and a second time if the reply was lost.

use redis::{Cmd, ServerErrorKind};
use sessile_core::SessionKey;
use tokio::time::timeout_at;

use crate::client::{Client, Kind};
use crate::error::Failure;
use crate::net::Idempotency;
use crate::reply::Reply;
use crate::script::Script;
use crate::write::WriteKind;

/// The form of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CallForm {
    /// Passes the name of the record alone. While a slot of a cluster migrates, record and queue may be on different
    /// nodes, and a script that names both is refused. Waiting processes get no message then, and poll.
    pub(crate) record_only: bool,
    /// Set for the second call, after the first may have been executed.
    pub(crate) is_retry: bool,
}

impl CallForm {
    /// Returns `is_retry` as the scripts take it.
    pub(crate) fn retry_arg(self) -> &'static str {
        if self.is_retry { "1" } else { "" }
    }
}

impl Client {
    /// Begins a call of a script that takes the names of a session's record and queue, or of a lock and its queue.
    pub(crate) fn call(&self, script: &Script, key: &SessionKey, form: CallForm) -> Cmd {
        let names = self.keys.names(key);
        let mut cmd = script.call(if form.record_only { 1 } else { 2 });
        match self.kind {
            Kind::Sessions => cmd.arg(names.record()),
            Kind::Locks => cmd.arg(self.keys.lock(key)),
        };
        if !form.record_only {
            cmd.arg(&names.queue);
        }
        cmd
    }

    /// Calls an idempotent script, without the queue if the server has it on another node. Returns the form of the last
    /// call.
    pub(crate) async fn run(
        &self,
        key: &SessionKey,
        write: Option<WriteKind<'_>>,
        build: impl Fn(CallForm) -> Cmd,
    ) -> Result<(Reply, CallForm), Failure> {
        self.attempt(key, write, Idempotency::Idempotent, CallForm::default(), &build)
            .await
    }

    /// Calls a script that recognises whether it was executed before.
    ///
    /// If the connection breaks before the reply has arrived, the script is called a second time. If that does not
    /// resolve the outcome of the first call, the first failure is returned: the outcome is ambiguous. It is ambiguous
    /// as well if this future is dropped between the two calls.
    pub(crate) async fn run_once(
        &self,
        key: &SessionKey,
        write: WriteKind<'_>,
        build: impl Fn(CallForm) -> Cmd,
    ) -> Result<Reply, Failure> {
        let attempt = async |form| {
            let (reply, _) = self
                .attempt(key, Some(write), Idempotency::NotIdempotent, form, &build)
                .await?;
            Ok(reply)
        };
        self.twice(attempt(CallForm::default()), || {
            attempt(CallForm {
                is_retry: true,
                record_only: false,
            })
        })
        .await
    }

    /// Runs `first` and, if its connection breaks before the reply has arrived, `second`, which finds out whether the
    /// first was executed and repeats it if not. Both together take no longer than the time limit of one call.
    pub(crate) async fn twice<F>(
        &self,
        first: impl Future<Output = Result<Reply, Failure>>,
        second: impl FnOnce() -> F,
    ) -> Result<Reply, Failure>
    where
        F: Future<Output = Result<Reply, Failure>>,
    {
        let deadline = self.router.deadline();
        let broken = match first.await {
            Err(broken @ Failure::Broken(_)) => broken,
            outcome => return outcome,
        };
        match timeout_at(deadline, Box::pin(second())).await {
            Ok(Ok(done @ Reply::Done(_))) => Ok(done),
            // This outcome is known as well: the write was executed, and reached too few replicas.
            Ok(Err(shortfall @ Failure::Shortfall(_))) => Err(shortfall),
            _ => Err(broken),
        }
    }

    async fn attempt(
        &self,
        key: &SessionKey,
        write: Option<WriteKind<'_>>,
        idempotency: Idempotency,
        form: CallForm,
        build: &impl Fn(CallForm) -> Cmd,
    ) -> Result<(Reply, CallForm), Failure> {
        match self.put(key, &build(form), write, idempotency).await {
            Err(failure) if is_split_slot(&failure) => {
                let record_only = CallForm {
                    record_only: true,
                    ..form
                };
                let reply = Box::pin(self.put(key, &build(record_only), write, idempotency)).await?;
                Ok((reply, record_only))
            }
            reply => Ok((reply?, form)),
        }
    }

    async fn put(
        &self,
        key: &SessionKey,
        cmd: &Cmd,
        write: Option<WriteKind<'_>>,
        idempotency: Idempotency,
    ) -> Result<Reply, Failure> {
        match write {
            Some(write) => self.eval_write(key, cmd, write, idempotency).await,
            None => self.eval(key, cmd, idempotency).await,
        }
    }
}

/// Returns whether the server refused a command because its keys are on different nodes at present. It was not
/// executed.
pub(crate) fn is_split_slot(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(error) if error.kind() == Some(ServerErrorKind::TryAgain))
}
