//! [`RedisServer`]: a server for the duration of a test.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::program::Program;
use super::resp::{self, Admin, Reply};
use super::{PATIENCE, wait_until};

/// Runs a server until its input ends, which happens with the process that started it at the latest. Then it stops the
/// server and removes its folder, unless the last line says otherwise.
const KEEPER: &str = r#"
trap '' INT TERM HUP
"$1" "$2/conf" $3 > "$2/log" 2>&1 < /dev/null &
echo $!
read -r word
kill -9 $!
wait $!
[ "$word" = keep ] || rm -rf "$2"
"#;

/// A server on a free port of 127.0.0.1 with its own folder. Dropping it stops the server and removes the folder, as
/// does any end of the process.
///
/// # Panics
///
/// Every function panics with a description when it fails.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    folder: PathBuf,
    role: Role,
    running: Option<Running>,
}

/// The role of the server program.
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
    /// Starts a server without persistence.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with these lines in its configuration, such as `"appendonly yes"`. If they set a password, the
    /// server refuses the commands of this type, which do not authenticate.
    #[must_use]
    pub fn start_with(config: &[&str]) -> Self {
        // `stall` needs this.
        let lines: Vec<&str> = ["enable-debug-command yes"].iter().chain(config).copied().collect();
        Self::launch(Role::Server, &lines)
    }

    /// Starts the program in this role with this configuration.
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

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the connection URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Returns the path of the Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Sends a command and returns the reply.
    #[expect(clippy::must_use_candidate, reason = "many replies do not matter")]
    pub fn command(&self, args: &[&str]) -> Reply {
        self.try_command(args)
            .unwrap_or_else(|error| panic!("{} on port {}: {args:?}: {error}", self.role.name(), self.port))
    }

    /// Sends a command and returns the reply, if any: a server that is demoted or killed may close the connection.
    pub fn try_command(&self, args: &[&str]) -> io::Result<Reply> {
        let bytes: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        resp::command(self.port, PATIENCE, &bytes)
    }

    /// Sends a command with binary arguments.
    #[expect(clippy::must_use_candidate, reason = "many replies do not matter")]
    pub fn command_bytes(&self, args: &[&[u8]]) -> Reply {
        resp::command(self.port, PATIENCE, args)
            .unwrap_or_else(|error| panic!("{} on port {}: {error}", self.role.name(), self.port))
    }

    /// Opens a control connection, which stays usable when the password changes or the limit of connections is reached.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::connect(self.port)
    }

    /// Returns one field of `INFO`.
    #[must_use]
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        let text = self.command(&["INFO", section]).text();
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned))
    }

    /// Returns how often the server has executed a command, directly or within a script.
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

    /// Kills the server, as a crash does. Its folder stays.
    pub fn kill(&mut self) {
        self.end(b"keep\n");
    }

    /// Starts the server again on the same port and folder, after [`kill`](Self::kill) or a crash.
    pub fn restart(&mut self) {
        self.launch_again();
        self.wait_until_ready();
    }

    /// Starts the server again without waiting until it responds, which it does not while it loads its data.
    pub fn launch_again(&mut self) {
        self.kill();
        self.run();
    }

    /// Returns whether the server responds, if only that it requires a password.
    #[must_use]
    pub fn responds(&self) -> bool {
        match resp::command(self.port, Duration::from_millis(500), &[b"PING"]) {
            Ok(Reply::Text(_)) => true,
            Ok(Reply::Error(message)) => message.starts_with("NOAUTH"),
            _ => false,
        }
    }

    /// Returns the id of the process.
    ///
    /// # Panics
    ///
    /// Panics if the server does not run.
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
            &format!("the {} on port {} responds", self.role.name(), self.port),
            || self.responds(),
        );
    }

    /// Prints the end of the log. In a failed test it may show the reason, and the folder is about to be removed.
    fn tell(&self) {
        const LINES: usize = 60;
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        eprintln!("the end of the log of the {} on port {}:", self.role.name(), self.port);
        for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
            eprintln!("    {line}");
        }
    }

    /// Ends the keeper with this last line.
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
        // The keeper has usually removed it already.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Returns a port for a server that stays reserved while the server is down. This process gives each port out once, and
/// other processes start to search elsewhere. Systems do not use ports this low for outgoing connections, nor the
/// cluster bus ports, which are 10,000 higher.
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
