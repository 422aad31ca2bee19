//! [`RedisServer`]: a server of one's own, for as long as a test runs.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::program::Program;
use super::resp::{self, Admin, Reply};
use super::{PATIENCE, wait_until};

/// Runs a server until its input ends, which it does, at the latest, with the process that started it: then the server
/// goes, and its folder with it, unless something else was said.
const KEEPER: &str = r#"
trap '' INT TERM HUP
"$1" "$2/conf" $3 > "$2/log" 2>&1 < /dev/null &
echo $!
read -r word
kill -9 $!
wait $!
[ "$word" = keep ] || rm -rf "$2"
"#;

/// A server on a free port of 127.0.0.1, with a folder of its own. It ends, and the folder goes, when this is
/// dropped, and also when the process ends without that, whatever the reason.
///
/// # Panics
///
/// Everything here panics when it does not succeed, and says why: in a test there is nothing else to do.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    folder: PathBuf,
    role: Role,
    running: Option<Running>,
}

/// The role in which the program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Sentinel,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Sentinel => "sentinel",
        }
    }
}

#[derive(Debug)]
struct Running {
    keeper: Child,
    id: u32,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with these lines in its configuration, such as `"appendonly yes"`. Where they set a password,
    /// the server refuses the commands that are sent from here: they come without.
    #[must_use]
    pub fn start_with(config: &[&str]) -> Self {
        // `stall` needs it.
        let lines: Vec<&str> = ["enable-debug-command yes"].iter().chain(config).copied().collect();
        Self::launch(Role::Server, &lines)
    }

    /// Starts the program in this role, with this configuration.
    pub(super) fn launch(role: Role, config: &[&str]) -> Self {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sessile-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the server");
        let mut server = Self {
            port: free_port(),
            folder,
            role,
            running: None,
        };
        let mut lines = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nsave \"\"\nunixsocket {}\n",
            server.port,
            server.folder.display(),
            server.socket().display(),
        );
        for line in config {
            lines.push_str(line);
            lines.push('\n');
        }
        std::fs::write(server.folder.join("conf"), lines).expect("a configuration for the server");
        server.run();
        server.wait_until_ready();
        server
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as connection URLs have it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The path of its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sends it a command and returns the answer.
    #[expect(clippy::must_use_candidate, reason = "many orders have no answer worth a look")]
    pub fn command(&self, args: &[&str]) -> Reply {
        self.try_command(args)
            .unwrap_or_else(|error| panic!("{} on port {}: {args:?}: {error}", self.role.name(), self.port))
    }

    /// Sends it a command and returns the answer, if there is one: a server that is demoted, or killed, may hang up.
    pub fn try_command(&self, args: &[&str]) -> io::Result<Reply> {
        let bytes: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        resp::command(self.port, PATIENCE, &bytes)
    }

    /// Sends it a command whose arguments are not text.
    #[expect(clippy::must_use_candidate, reason = "many orders have no answer worth a look")]
    pub fn command_bytes(&self, args: &[&[u8]]) -> Reply {
        resp::command(self.port, PATIENCE, args)
            .unwrap_or_else(|error| panic!("{} on port {}: {error}", self.role.name(), self.port))
    }

    /// A connection for orders that stays: it goes on to answer when the password has changed or there is room for no
    /// more connections.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::connect(self.port)
    }

    /// One line of `INFO`.
    #[must_use]
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        let text = self.command(&["INFO", section]).text();
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
    }

    /// How often it has run a command, be it on its own or within a script.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        let line = self
            .info("commandstats", &format!("cmdstat_{command}"))
            .unwrap_or_default();
        let calls = line
            .strip_prefix("calls=")
            .and_then(|rest| rest.split(',').next()?.parse().ok());
        calls.unwrap_or(0)
    }

    /// Ends it at once, as a crash would. What it has written to its folder stays.
    pub fn kill(&mut self) {
        self.end(b"keep\n");
    }

    /// Starts it again on the same port and in the same folder, after [`kill`](Self::kill) or a crash.
    pub fn restart(&mut self) {
        self.launch_again();
        self.wait_until_ready();
    }

    /// Starts it again without waiting until it answers, which it does not while it loads what it has on disk.
    pub fn launch_again(&mut self) {
        self.kill();
        self.run();
    }

    /// Whether it answers, be it that it wants to know a password first.
    #[must_use]
    pub fn responds(&self) -> bool {
        match resp::command(self.port, Duration::from_millis(500), &[b"PING"]) {
            Ok(Reply::Text(_)) => true,
            Ok(Reply::Error(message)) => message.starts_with("NOAUTH"),
            _ => false,
        }
    }

    /// The number of its process.
    ///
    /// # Panics
    ///
    /// If it does not run.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.as_ref().expect("the server runs").id
    }

    fn run(&mut self) {
        let as_sentinel = match self.role {
            Role::Server => "",
            Role::Sentinel => "--sentinel",
        };
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&Program::chosen().path, self.folder.as_os_str()])
            .arg(as_sentinel)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut id = String::new();
        let stdout = keeper.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut id)
            .expect("the shell says what it has started");
        let id = id.trim().parse().expect("the number of a process");
        self.running = Some(Running { keeper, id });
    }

    fn wait_until_ready(&self) {
        wait_until(
            &format!("the {} on port {} answers", self.role.name(), self.port),
            || self.responds(),
        );
    }

    /// Shows the end of its log: in a test that has failed the reason may be there, and the folder is about to go.
    fn tell(&self) {
        const LINES: usize = 60;
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        eprintln!("the end of the log of the {} on port {}:", self.role.name(), self.port);
        for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
            eprintln!("    {line}");
        }
    }

    /// Lets the keeper do its work, with these last words.
    fn end(&mut self, words: &[u8]) {
        if let Some(Running { mut keeper, .. }) = self.running.take() {
            if let Some(mut input) = keeper.stdin.take() {
                let _ = input.write_all(words);
            }
            let _ = keeper.wait();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        self.end(b"");
        // The keeper has done it already, if there was one.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A port for a server, which stays its own while it is down: this process gives none out twice, other processes begin
/// to look elsewhere, and systems do not choose ports as low as these for outgoing connections, nor those that nodes of
/// a cluster talk to each other on, which are 10,000 higher.
pub(super) fn free_port() -> u16 {
    const LOWEST: u32 = 11_000;
    const PORTS: u32 = 10_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    let candidates = std::iter::repeat_with(|| begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)));
    let ports = candidates
        .take(PORTS as usize)
        .map(|number| (LOWEST + number % PORTS) as u16);
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a free port")
}
