//! The scripts that the server runs, one a verb.

use std::sync::LazyLock;

use redis::Cmd;

/// A script, and the digest by which a server that has run it before knows it.
pub(crate) struct Script {
    source: String,
    digest: String,
}

impl Script {
    fn new(parts: &[&str]) -> Self {
        let source = parts.concat();
        let digest = redis::Script::new(&source).get_hash().to_owned();
        Self { source, digest }
    }

    /// Begins a call of this script by its digest; all keys come first among the arguments.
    pub(crate) fn call(&self, keys: usize) -> Cmd {
        // Large enough for the names and a small record: growing costs more than it weighs.
        let mut cmd = Cmd::with_capacity(12, 512);
        cmd.arg("EVALSHA").arg(&self.digest).arg(keys);
        cmd
    }

    /// The same call with the source instead of the digest, for a server that does not know the script (yet, or any
    /// longer). It knows it from then on.
    pub(crate) fn spelled_out(call: &Cmd) -> Option<Cmd> {
        let mut args = call.args_iter().filter_map(|arg| match arg {
            redis::Arg::Simple(bytes) => Some(bytes),
            _ => None,
        });
        let (_evalsha, digest) = (args.next()?, args.next()?);
        let script = ALL.iter().find(|script| script.digest.as_bytes() == digest)?;
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(&script.source);
        for arg in args {
            cmd.arg(arg);
        }
        Some(cmd)
    }
}

macro_rules! scripts {
    ($($name:ident = $($part:literal),+;)+) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(&[$(include_str!(concat!("scripts/", $part, ".lua"))),+])
        });)+

        static ALL: &[&LazyLock<Script>] = &[$(&$name),+];
    };
}

scripts! {
    LOOK = "answer", "look";
    LOCK = "answer", "part", "queue", "take", "lock";
    COMMIT = "answer", "part", "queue", "commit";
    CREATE = "answer", "create";
    ROTATE = "answer", "part", "queue", "rotate";
    ARRIVE = "answer", "arrive";
    SETTLE = "answer", "settle";
    RELEASE = "full", "answer", "part", "queue", "release";
    RENEW = "full", "answer", "part", "renew";
    TOUCH = "answer", "part", "touch";
    DESTROY = "full", "answer", "part", "queue", "destroy";
    BARE_LOCK = "answer", "bare", "queue", "take", "bare_lock";
    BARE_RELEASE = "full", "answer", "bare", "queue", "release";
    BARE_RENEW = "answer", "bare", "bare_renew";
    RIGHTS = "rights";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_can_be_spelled_out() {
        let mut call = RENEW.call(2);
        call.arg("record").arg("lock").arg(&[0_u8, 13, 10]).arg(30_000);
        let spelled_out = Script::spelled_out(&call).unwrap();
        let mut expected = redis::cmd("EVAL");
        expected
            .arg(&RENEW.source)
            .arg(2)
            .arg("record")
            .arg("lock")
            .arg(&[0_u8, 13, 10])
            .arg(30_000);
        assert_eq!(spelled_out.get_packed_command(), expected.get_packed_command());
        assert!(Script::spelled_out(redis::cmd("GET").arg("key")).is_none());
    }
}
