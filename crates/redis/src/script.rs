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
    LOOK = "codes", "answer", "look";
    LOCK = "codes", "peek_far", "head", "quick_lock", "answer", "part", "queue", "take", "lock";
    COMMIT = "codes", "peek", "head", "write", "quick_commit", "answer", "part", "queue", "commit";
    REPLACE = "codes", "known", "head", "write", "quick_replace", "answer", "part", "replace";
    CREATE = "codes", "answer", "create";
    ROTATE = "codes", "peek", "head", "answer", "part", "queue", "rotate";
    ARRIVE = "codes", "answer", "arrive";
    SETTLE = "codes", "answer", "settle";
    RELEASE = "full", "codes", "peek", "head", "quick_release", "answer", "part", "queue", "release";
    RENEW = "full", "codes", "peek", "head", "answer", "part", "renew";
    TOUCH = "codes", "peek", "head", "answer", "part", "touch";
    DESTROY = "full", "codes", "peek", "head", "quick_destroy", "answer", "part", "queue", "destroy";
    BARE_LOCK = "codes", "answer", "bare", "queue", "take", "bare_lock";
    BARE_RELEASE = "full", "codes", "answer", "bare", "queue", "release";
    BARE_RENEW = "codes", "answer", "bare", "bare_renew";
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
