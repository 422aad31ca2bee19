//! A second process: a test that is run once more, and is told by its environment to play a part.
//!
//! ```no_run
//! use sessile_testkit::process::{ChildProcess, role, send};
//!
//! // A test:
//! fn a_second_process_is_told_that_the_folder_is_in_use() {
//!     if let Some((_, folder)) = role() {
//!         // Here the other process opens the folder, and then
//!         send("open");
//!         loop {
//!             std::thread::park();
//!         }
//!     }
//!     let folder = std::env::temp_dir();
//!     let holder = ChildProcess::start("a_second_process_is_told_that_the_folder_is_in_use", "holder", &folder);
//!     assert_eq!(holder.receive(), "open");
//!     // Here this one tries to.
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

/// What a child says begins with this, so that it is not taken for what the test harness says.
const MARK: &str = "@";

/// How long a child may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that plays a part. It is killed at the latest when this is dropped.
///
/// # Panics
///
/// Everything here panics when it does not succeed, and says why: in a test there is nothing else to do.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<String>,
}

/// The part this process is to play, and the folder in which, if it is a child.
#[must_use]
pub fn role() -> Option<(String, PathBuf)> {
    Some((std::env::var(ROLE).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Says something to the parent, in one piece.
pub fn send(message: &str) {
    println!("\n{MARK}{message}");
}

/// Waits until the parent says something.
///
/// # Panics
///
/// If it cannot be heard.
#[expect(
    clippy::must_use_candidate,
    reason = "to hear anything at all may be what is waited for"
)]
pub fn receive() -> String {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("the parent says something");
    line.trim().to_owned()
}

impl ChildProcess {
    /// Starts the test of this name, modules included, once more, to play this part.
    #[must_use]
    pub fn start(test: &str, role: &str, folder: &Path) -> Self {
        let program = std::env::current_exe().expect("the test itself");
        Self::spawn(Command::new(program), test, role, folder)
    }

    /// The same, in a process made by this command.
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

    /// What the child says next.
    #[must_use]
    pub fn receive(&self) -> String {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("the child says something in time")
    }

    /// Says something to the child.
    pub fn send(&mut self, message: &str) {
        writeln!(self.stdin, "{message}").expect("the child listens");
    }

    /// The number of the process.
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

    /// Kills it, waits until it is dead, and returns what it had said and nobody heard.
    #[expect(clippy::must_use_candidate, reason = "most have heard all they want")]
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it dies");
        self.messages.iter().collect()
    }

    /// Waits for its end, which must be a good one.
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
