//! Checks the permissions of the user that has logged in.

use redis::Value;
use sessile_core::{OsEntropy, SessionId};

use crate::client::{Client, Kind};
use crate::error::{Failure, is_denial_text, is_denied};
use crate::net::Idempotency;
use crate::script::{self, Script};

/// Runs once every command of the storage operations, with keys that no session uses and that are removed afterwards.
///
/// A command that is forbidden inside a script fails only when the script reaches it, and scripts ignore the errors of
/// some commands, so a script calls each of them here. Only a missing permission is an error: a server that is not
/// ready may become so. Publishing and subscribing may be forbidden; waiting processes poll then.
pub(crate) async fn check_permissions(client: &Client) -> Result<(), Failure> {
    let id = SessionId::generate(&OsEntropy);
    let key = id.key();
    let names = client.keys.names(&key);
    let mut call = script::PERMISSIONS.call(2);
    match client.kind {
        Kind::Sessions => call.arg(names.record()).arg(&names.queue).arg(""),
        Kind::Locks => call.arg(client.keys.lock(&key)).arg(&names.queue).arg("1"),
    };
    let with_source = Script::with_source(&call);
    for (command, cmd) in [("EVAL", with_source.as_ref()), ("EVALSHA", Some(&call))] {
        let Some(cmd) = cmd else { continue };
        match client.router.send(key.shard(), cmd, Idempotency::Idempotent).await {
            Err(Failure::Refused(error)) if is_denied(&error) => return Err(Failure::Forbidden(command.to_owned())),
            Ok(Value::Array(items)) => {
                if let [Value::BulkString(command), Value::BulkString(reason)] = items.as_slice()
                    && is_denial_text(&String::from_utf8_lossy(reason))
                {
                    return Err(Failure::Forbidden(String::from_utf8_lossy(command).into_owned()));
                }
            }
            _ => {}
        }
    }
    if client.options.durability.is_some() {
        let mut wait = redis::cmd("WAIT");
        // Zero replicas acknowledge at once.
        wait.arg(0).arg(1);
        if let Err(Failure::Refused(error)) = client.router.send(key.shard(), &wait, Idempotency::Idempotent).await
            && is_denied(&error)
        {
            return Err(Failure::Forbidden("WAIT".to_owned()));
        }
    }
    Ok(())
}
