//! Calling scripts: with the queue or without it, and a second time where the answer to the first was lost.

use redis::{Cmd, ServerErrorKind};
use sessile_core::SessionKey;
use tokio::time::timeout_at;

use crate::answer::Answer;
use crate::engine::{Engine, Kind};
use crate::error::Failure;
use crate::net::Again;
use crate::script::Script;
use crate::write::Write;

/// How a script is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// With the name of the record alone. While a slot of a cluster is on its way, record and queue may be at different
    /// places, and a script that names both is refused. Those who wait are not told then; they look by themselves.
    pub(crate) narrow: bool,
    /// Set for the second call, after the first may have been done.
    pub(crate) again: bool,
}

impl Form {
    /// As scripts take it.
    pub(crate) fn again(self) -> &'static str {
        if self.again { "1" } else { "" }
    }
}

impl Engine {
    /// Begins to call a script that takes the names of a session's record and queue, or of a lock and its queue.
    pub(crate) fn call(&self, script: &Script, key: &SessionKey, form: Form) -> Cmd {
        let names = self.keys.names(key);
        let mut cmd = script.call(if form.narrow { 1 } else { 2 });
        match self.kind {
            Kind::Sessions => cmd.arg(names.record()),
            Kind::Locks => cmd.arg(self.keys.lock(key)),
        };
        if !form.narrow {
            cmd.arg(names.queue());
        }
        cmd
    }

    /// Calls a script that is harmless to call again, without the queue where that is all the server can do now.
    /// Returns in which form it was called in the end.
    pub(crate) async fn run(
        &self,
        key: &SessionKey,
        write: Option<Write<'_>>,
        build: impl Fn(Form) -> Cmd,
    ) -> Result<(Answer, Form), Failure> {
        self.attempt(key, write, Again::Harmless, Form::default(), &build).await
    }

    /// Calls a script that finds nothing to do any more when it has been done already, and then knows so.
    ///
    /// It is called a second time if the connection breaks before the answer has come. When that does not tell what has
    /// become of the first, the first failure is returned: the outcome is open. That holds as well if this future is
    /// dropped between the two.
    pub(crate) async fn run_once(
        &self,
        key: &SessionKey,
        write: Write<'_>,
        build: impl Fn(Form) -> Cmd,
    ) -> Result<Answer, Failure> {
        let attempt = async |form| {
            let (answer, _) = self.attempt(key, Some(write), Again::Never, form, &build).await?;
            Ok(answer)
        };
        self.twice(attempt(Form::default()), || {
            attempt(Form {
                again: true,
                narrow: false,
            })
        })
        .await
    }

    /// Does something, and if the connection breaks before the answer has come, what finds out whether it was done and
    /// does it if not: within the time that the first may take.
    pub(crate) async fn twice<F>(
        &self,
        first: impl Future<Output = Result<Answer, Failure>>,
        second: impl FnOnce() -> F,
    ) -> Result<Answer, Failure>
    where
        F: Future<Output = Result<Answer, Failure>>,
    {
        let deadline = self.net.deadline();
        let broken = match first.await {
            Err(broken @ Failure::Broken(_)) => broken,
            outcome => return outcome,
        };
        match timeout_at(deadline, Box::pin(second())).await {
            Ok(Ok(done @ Answer::Done(_))) => Ok(done),
            // That is known as well: it is done, and too few replicas have it.
            Ok(Err(shortfall @ Failure::Shortfall(_))) => Err(shortfall),
            _ => Err(broken),
        }
    }

    async fn attempt(
        &self,
        key: &SessionKey,
        write: Option<Write<'_>>,
        again: Again,
        form: Form,
        build: &impl Fn(Form) -> Cmd,
    ) -> Result<(Answer, Form), Failure> {
        match self.put(key, &build(form), write, again).await {
            Err(failure) if is_apart(&failure) => {
                let narrow = Form { narrow: true, ..form };
                let answer = Box::pin(self.put(key, &build(narrow), write, again)).await?;
                Ok((answer, narrow))
            }
            answer => Ok((answer?, form)),
        }
    }

    async fn put(
        &self,
        key: &SessionKey,
        cmd: &Cmd,
        write: Option<Write<'_>>,
        again: Again,
    ) -> Result<Answer, Failure> {
        match write {
            Some(write) => self.ask_to_write(key, cmd, write, again).await,
            None => self.ask(key, cmd, again).await,
        }
    }
}

/// Whether the server has the keys of a command at different places for the moment. It has done nothing then.
pub(crate) fn is_apart(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(error) if error.kind() == Some(ServerErrorKind::TryAgain))
}
