//! A second process: a test that is run once more, and is told by its environment to play a part.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::TempFolder;

/// Where the part is to be played.
const FOLDER: &str = "CUSTOM_STORAGE_TEST_FOLDER";

/// What a child says begins with this, so that it is not taken for what the test harness says.
const MARK: &str = "@";

/// How long a child may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that plays a part. It is killed at the latest when this is dropped.
#[derive(Debug)]
pub(crate) struct Player {
    child: Child,
    said: Receiver<String>,
}

/// Where the database is, if this process is to play a part.
pub(crate) fn part() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os(FOLDER)?).join("sessions.redb"))
}

/// Says something to the parent, in one piece.
pub(crate) fn say(what: &str) {
    println!("\n{MARK}{what}");
}

impl Player {
    /// Runs the test of this name, modules included, in a process of its own.
    pub(crate) fn start(test: &str, folder: &TempFolder) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("the test itself"))
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test runs a second time");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, said) = channel();
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            for line in lines.filter_map(|line| line.strip_prefix(MARK).map(str::to_owned)) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, said }
    }

    /// What the child says next.
    pub(crate) fn hear(&self) -> String {
        let said = self.said.recv_timeout(PATIENCE);
        said.expect("the child says something in time")
    }

    /// Kills it with SIGKILL or the like, waits until it is dead, and returns what it had said and nobody heard.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it dies");
        self.said.iter().collect()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
