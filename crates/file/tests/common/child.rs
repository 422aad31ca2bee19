//! A second process: the same test again, told by its environment to play a part.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const PART: &str = "SESSILE_TEST_PART";
const FOLDER: &str = "SESSILE_TEST_FOLDER";

/// What a child says begins with this, so that it is not taken for what the test harness says.
const MARK: &str = "@";

/// How long a child may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that plays a part.
#[derive(Debug)]
pub(crate) struct Player {
    child: Child,
    stdin: ChildStdin,
    said: Receiver<String>,
}

/// The part this process is to play, and the folder, if it is a child.
pub(crate) fn part() -> Option<(String, PathBuf)> {
    Some((std::env::var(PART).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Says something to the parent.
pub(crate) fn say(what: &str) {
    println!("\n{MARK}{what}");
}

/// Waits until the parent says something.
pub(crate) fn listen() -> String {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("the parent says something");
    line.trim().to_owned()
}

impl Player {
    /// Starts the test of this name once more, to play this part.
    pub(crate) fn start(test: &str, part: &str, folder: &Path) -> Self {
        let program = std::env::current_exe().expect("the test itself");
        Self::spawn(Command::new(program), test, part, folder)
    }

    /// The same, in a process made by this command.
    pub(crate) fn spawn(mut command: Command, test: &str, part: &str, folder: &Path) -> Self {
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env(FOLDER, folder);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test runs a second time");
        let stdin = child.stdin.take().expect("stdin");
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (sender, said) = channel();
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            for line in lines.filter_map(|line| line.strip_prefix(MARK).map(str::to_owned)) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, said }
    }

    /// What the child says next.
    pub(crate) fn hear(&self) -> String {
        self.said
            .recv_timeout(PATIENCE)
            .expect("the child says something in time")
    }

    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.stdin, "{what}").expect("the child listens");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.id().to_string())
            .status();
        assert!(
            sent.expect("`kill` is needed for this test").success(),
            "the signal is sent"
        );
    }

    /// Kills it, and waits until it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it dies");
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn finish(mut self) {
        assert!(self.child.wait().expect("it ends").success(), "a child has failed");
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
