//! Child processes: a test runs again in another process, in a role that its environment names.
//!
//! ```no_run
//! use sessile_lab::process::{ChildProcess, role, send};
//!
//! // A test:
//! fn a_second_process_cannot_open_the_folder() {
//!     if let Some((_, folder)) = role() {
//!         // The child opens the folder here, and then reports that.
//!         send("open");
//!         loop {
//!             std::thread::park();
//!         }
//!     }
//!     let folder = std::env::temp_dir();
//!     let holder = ChildProcess::start("a_second_process_cannot_open_the_folder", "holder", &folder);
//!     assert_eq!(holder.receive(), "open");
//!     // The parent tries to open it here.
//!     holder.kill();
//! }
//! ```

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const ROLE: &str = "SESSILE_TEST_ROLE";
const FOLDER: &str = "SESSILE_TEST_FOLDER";

/// The prefix of messages of a child, which distinguishes them from the output of the test harness.
const MARK: &str = "@";

/// The limit of every wait for a child.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child process that runs a test in a role. Dropping it kills the process.
///
/// # Panics
///
/// Every function panics with a description when it fails, because a test cannot continue then.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<String>,
}

/// Returns the role of this process and its folder, if it is a child.
#[must_use]
pub fn role() -> Option<(String, PathBuf)> {
    Some((std::env::var(ROLE).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Sends a message to the parent in one write.
pub fn send(message: &str) {
    println!("\n{MARK}{message}");
}

/// Waits for a message of the parent.
///
/// # Panics
///
/// Panics if the input cannot be read.
#[expect(clippy::must_use_candidate, reason = "some tests wait for any message")]
pub fn receive() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a message of the parent");
    line.trim().to_owned()
}

impl ChildProcess {
    /// Starts the test of this name, with its modules, in another process and in this role.
    #[must_use]
    pub fn start(test: &str, role: &str, folder: &Path) -> Self {
        let program = std::env::current_exe().expect("the test itself");
        Self::spawn(Command::new(program), test, role, folder)
    }

    /// Starts the test in a process that this command creates.
    #[must_use]
    pub fn spawn(mut command: Command, test: &str, role: &str, folder: &Path) -> Self {
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FOLDER, folder);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test runs a second time");
        let stdin = child.stdin.take().expect("stdin");
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            for line in lines.filter_map(|line| line.strip_prefix(MARK).map(str::to_owned)) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, messages }
    }

    /// Waits for the next message of the child.
    #[must_use]
    pub fn receive(&self) -> String {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("a message of the child in time")
    }

    /// Returns the next message of the child, if it has sent one.
    #[must_use]
    pub fn try_receive(&self) -> Option<String> {
        self.messages.try_recv().ok()
    }

    /// Sends a message to the child.
    pub fn send(&mut self, message: &str) {
        writeln!(self.stdin, "{message}").expect("the child listens");
    }

    /// Returns the id of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.id().to_string())
            .status();
        assert!(
            sent.expect("`kill` is needed for this test").success(),
            "the signal is sent"
        );
    }

    /// Kills the process, waits for its end, and returns the messages that were not received.
    #[expect(clippy::must_use_candidate, reason = "most have heard all they want")]
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it dies");
        self.messages.iter().collect()
    }

    /// Waits for the end of the process, which must be successful.
    pub fn finish(mut self) {
        assert!(self.child.wait().expect("it ends").success(), "a child has failed");
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
