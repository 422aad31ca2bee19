//! Whether the user that has logged in may do what is needed.

use redis::Value;
use sessile_core::{OsEntropy, SessionId};

use crate::engine::{Engine, Kind};
use crate::error::{Failure, is_denied, is_text_of_denial};
use crate::net::Again;
use crate::script::{self, Script};

/// Does once all that the verbs will do, with keys that nobody uses and that are gone afterwards.
///
/// A command that is forbidden within a script shows when it is called, and some of that is passed over there, so it is
/// looked for here. Nothing but what is forbidden is an error: servers that are not ready may become so. Publishing and
/// listening may be forbidden; those who wait look by themselves then.
pub(crate) async fn rights(engine: &Engine) -> Result<(), Failure> {
    let id = SessionId::generate(&OsEntropy);
    let key = id.key();
    let names = engine.keys.names(&key);
    let mut call = script::RIGHTS.call(2);
    match engine.kind {
        Kind::Sessions => call.arg(names.record()).arg(names.queue()).arg(""),
        Kind::Locks => call.arg(engine.keys.lock(&key)).arg(names.queue()).arg("1"),
    };
    let spelled_out = Script::spelled_out(&call);
    for (command, cmd) in [("EVAL", spelled_out.as_ref()), ("EVALSHA", Some(&call))] {
        let Some(cmd) = cmd else { continue };
        match engine.net.send(key.shard(), cmd, Again::Harmless).await {
            Err(Failure::Refused(error)) if is_denied(&error) => return Err(Failure::Forbidden(command.to_owned())),
            Ok(Value::Array(items)) => {
                if let [Value::BulkString(command), Value::BulkString(reason)] = items.as_slice()
                    && is_text_of_denial(&String::from_utf8_lossy(reason))
                {
                    return Err(Failure::Forbidden(String::from_utf8_lossy(command).into_owned()));
                }
            }
            _ => {}
        }
    }
    if engine.options.durability.is_some() {
        let mut wait = redis::cmd("WAIT");
        // So many replicas there are at any time.
        wait.arg(0).arg(1);
        if let Err(Failure::Refused(error)) = engine.net.send(key.shard(), &wait, Again::Harmless).await
            && is_denied(&error)
        {
            return Err(Failure::Forbidden("WAIT".to_owned()));
        }
    }
    Ok(())
}
