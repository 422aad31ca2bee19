//! The scripts that the server runs, one for each operation.
//!
//! Each operation is a file in `scripts`. A line `-- include: NAME, ..` stands for files in `scripts/shared`.

use std::sync::LazyLock;

use redis::Cmd;

/// A script, and the digest by which a server knows it once it has run it.
pub(crate) struct Script {
    source: String,
    digest: String,
}

impl Script {
    fn new(operation: &str) -> Self {
        let mut source = String::new();
        push(operation, &mut source);
        let digest = redis::Script::new(&source).get_hash().to_owned();
        Self { source, digest }
    }

    /// Begins a call of this script by its digest. All keys come first among the arguments.
    pub(crate) fn call(&self, keys: usize) -> Cmd {
        // Large enough for the names and a small record: growing costs more than the memory.
        let mut cmd = Cmd::with_capacity(12, 512);
        cmd.arg("EVALSHA").arg(&self.digest).arg(keys);
        cmd
    }

    /// Returns the same call with the source instead of the digest, for a server that does not know the script. The
    /// server knows it from then on.
    pub(crate) fn with_source(call: &Cmd) -> Option<Cmd> {
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

/// Appends a file with its includes resolved and its comments removed.
fn push(file: &str, source: &mut String) {
    for line in file.lines() {
        if let Some(names) = line.strip_prefix("-- include: ") {
            for name in names.split(", ") {
                let shared = SHARED.iter().find(|(shared, _)| *shared == name);
                push(shared.expect("a script includes shared files").1, source);
            }
        } else if !line.trim_start().starts_with("--") {
            source.push_str(line);
            source.push('\n');
        }
    }
}

macro_rules! shared {
    ($($name:literal),+) => {
        &[$(($name, include_str!(concat!("scripts/shared/", $name, ".lua")))),+]
    };
}

static SHARED: &[(&str, &str)] = shared![
    "codes",
    "head",
    "plain_lock",
    "queue",
    "read_header",
    "read_record",
    "record",
    "release",
    "reply",
    "take",
    "write"
];

macro_rules! scripts {
    ($($name:ident = $file:literal;)+) => {
        $(pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(include_str!(concat!("scripts/", $file, ".lua")))
        });)+

        static ALL: &[&LazyLock<Script>] = &[$(&$name),+];
    };
}

scripts! {
    PEEK = "peek";
    LOCK = "lock";
    COMMIT = "commit";
    REPLACE = "replace";
    CREATE = "create";
    ROTATE = "rotate";
    ARRIVE = "arrive";
    SETTLE = "settle";
    RELEASE = "release";
    RENEW = "renew";
    TOUCH = "touch";
    DESTROY = "destroy";
    LOCKS_ACQUIRE = "locks/acquire";
    LOCKS_RELEASE = "locks/release";
    LOCKS_RENEW = "locks/renew";
    PERMISSIONS = "permissions";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_can_be_sent_with_its_source() {
        let mut call = RENEW.call(2);
        call.arg("record").arg("lock").arg(&[0_u8, 13, 10]).arg(30_000);
        let with_source = Script::with_source(&call).unwrap();
        let mut expected = redis::cmd("EVAL");
        expected
            .arg(&RENEW.source)
            .arg(2)
            .arg("record")
            .arg("lock")
            .arg(&[0_u8, 13, 10])
            .arg(30_000);
        assert_eq!(with_source.get_packed_command(), expected.get_packed_command());
        assert!(Script::with_source(redis::cmd("GET").arg("key")).is_none());
    }

    #[test]
    fn includes_are_resolved_and_comments_removed() {
        for script in ALL {
            assert!(!script.source.contains("--"), "{}", script.source);
        }
        assert!(COMMIT.source.contains("local function hand_over"));
    }
}
