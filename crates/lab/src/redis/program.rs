//! [`Program`]: the server program of the tests.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;

/// The variable with the path of another program than `redis-server`.
pub(super) const VARIABLE: &str = "SESSILE_REDIS_SERVER";

/// The server program of the tests and its version.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) path: OsString,
    version: String,
}

impl Program {
    /// Returns the program for all servers of this process. The first call prints its version on standard error
    /// directly, because the test harness captures the output of tests.
    pub(super) fn chosen() -> &'static Self {
        static PROGRAM: OnceLock<Program> = OnceLock::new();
        PROGRAM.get_or_init(|| {
            let program = Self::find(std::env::var_os(VARIABLE));
            let line = format!("sessile-lab: servers are {}\n", program.version);
            let _ = std::io::stderr().write_all(line.as_bytes());
            program
        })
    }

    fn find(named: Option<OsString>) -> Self {
        let is_named = named.is_some();
        let path = named.unwrap_or_else(|| "redis-server".into());
        let advice = if is_named {
            format!("it is named by the variable {VARIABLE}, which has to be the path of a server program, or unset")
        } else {
            "these tests need real servers: install the package redis-server, version 7.0 or later, so that \
             redis-server is in the PATH, or set the variable SESSILE_REDIS_SERVER to the path of such a program"
                .to_owned()
        };
        let output = match Command::new(&path).arg("--version").output() {
            Ok(output) => output,
            Err(error) => panic!("{} cannot be started ({error}): {advice}", path.display()),
        };
        match version(&String::from_utf8_lossy(&output.stdout)) {
            Some(version) if output.status.success() => Self { path, version },
            _ => panic!("{} does not say which version it is: {advice}", path.display()),
        }
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

/// Reads the name and version of a program: `Redis 7.0.15` for `Redis server v=7.0.15 sha=.. malloc=..`.
fn version(output: &str) -> Option<String> {
    let (name, rest) = output.split_once(" server v=")?;
    let number = rest.split_whitespace().next()?;
    Some(format!("{} {number}", name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_the_program_says() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0\n";
        assert_eq!(version(redis).as_deref(), Some("Redis 7.0.15"));
        let valkey = "Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df31c0395150\n";
        assert_eq!(version(valkey).as_deref(), Some("Valkey 9.1.2"));
        assert_eq!(version("cat (GNU coreutils) 9.1\n"), None);
    }

    #[test]
    #[should_panic(expected = "it is named by the variable SESSILE_REDIS_SERVER")]
    fn a_program_that_is_missing_is_named_with_the_variable() {
        Program::find(Some("/nowhere/valkey-server".into()));
    }

    #[test]
    #[should_panic(expected = "does not say which version it is")]
    fn a_program_that_is_no_server_is_refused() {
        Program::find(Some("true".into()));
    }
}
