//! [`Proxy`]: a bad line between a storage and its server, and an ear on it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::parser::Parser;
use crate::locked;

/// Passes connections on to a server, as slowly and as badly as it is told to, and counts what is asked.
///
/// It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// The server that new connections lead to.
    upstream: u16,
    accepted: u64,
    delay: Duration,
    /// Existing connections are closed and new ones are not accepted.
    cut: bool,
    /// Nothing comes through in these directions, and nobody is told.
    silent: Silence,
    open: Vec<TcpStream>,
    output: Vec<String>,
    exchanges: usize,
    /// Whether the last bytes seen went to the server.
    asking: bool,
}

/// What is swallowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Silence {
    #[default]
    Nothing,
    Answers,
    Everything,
}

impl Silence {
    fn swallows(self, asking: bool) -> bool {
        self == Self::Everything || self == Self::Answers && !asking
    }
}

impl Proxy {
    /// A proxy for the server on this port.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                upstream: port,
                ..State::default()
            }),
            ended: AtomicBool::new(false),
        });
        let proxy = Self {
            port: listener.local_addr().expect("an address").port(),
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    shared.accept(client);
                }
            }
        });
        proxy
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

    /// Lets new connections lead to the server on this port. Those that are open stay with the server they have: so does
    /// a name whose address changes, or the endpoint of a managed service, when a failover is planned.
    pub fn lead_to(&self, port: u16) {
        self.state().upstream = port;
    }

    /// How many connections were made since the last time this was asked, those that were refused included.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        std::mem::take(&mut self.state().accepted)
    }

    /// Lets everything take so much longer in each direction.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Closes all connections, and every new one at once.
    pub fn cut(&self) {
        let mut state = self.state();
        state.cut = true;
        state.close();
    }

    /// Closes all connections, and lets new ones through.
    pub fn hang_up(&self) {
        self.state().close();
    }

    /// Swallows whatever is sent from now on, in both directions, on connections that stay open: as if a cable had
    /// been pulled. New connections are accepted, and nothing is answered on them either.
    pub fn go_silent(&self) {
        self.state().silent = Silence::Everything;
    }

    /// Passes on what is asked, and swallows the answers: the server does what the client will never know of.
    pub fn lose_replies(&self) {
        self.state().silent = Silence::Answers;
    }

    /// Passes everything on again, at once. What was swallowed is lost, so the connections of that time are closed.
    pub fn heal(&self) {
        let mut state = self.state();
        if state.silent != Silence::Nothing {
            state.close();
        }
        state.silent = Silence::Nothing;
        state.cut = false;
        state.delay = Duration::ZERO;
    }

    /// The commands that went to the server since the last time this was asked, without their arguments.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.state().output)
    }

    /// How many times, since the last time this was asked, something went to the server after something had come back
    /// from it, or first: for one that asks and waits in turns, the number of round trips.
    #[must_use]
    pub fn round_trips(&self) -> usize {
        let mut state = self.state();
        state.asking = false;
        std::mem::take(&mut state.exchanges)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        locked(&self.shared.state)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.state().close();
        // So that the one who waits for connections notices.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn close(&mut self) {
        for stream in self.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Bytes, and when they may arrive.
type DelayedBytes = (Instant, Vec<u8>);

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream) {
        let upstream = {
            let mut state = locked(&self.state);
            state.accepted += 1;
            state.upstream
        };
        let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        {
            let mut state = locked(&self.state);
            if state.cut {
                return;
            }
            for stream in [&client, &server] {
                state.open.extend(stream.try_clone());
            }
        }
        let pair = |stream: &TcpStream| stream.try_clone();
        if let (Ok(from_client), Ok(from_server)) = (pair(&client), pair(&server)) {
            self.pump(from_client, server, true);
            self.pump(from_server, client, false);
        }
    }

    /// Passes on what comes from one side: one thread takes it in, another hands it out when its time has come, so
    /// that delay slows nothing down but the way.
    fn pump(self: &Arc<Self>, mut from: TcpStream, to: TcpStream, asking: bool) {
        let (parcels, arriving) = mpsc::channel();
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let mut parser = Parser::default();
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                let Some(delay) = shared.note(&mut parser, &buffer[..length], asking) else {
                    continue;
                };
                if parcels
                    .send((Instant::now() + delay, buffer[..length].to_vec()))
                    .is_err()
                {
                    break;
                }
            }
        });
        let shared = Arc::clone(self);
        thread::spawn(move || shared.hand_out(&arriving, to, asking));
    }

    /// Counts what goes by, and says how long it may take; `None` if it is to be swallowed.
    fn note(&self, parser: &mut Parser, bytes: &[u8], asking: bool) -> Option<Duration> {
        let mut state = locked(&self.state);
        if asking {
            state.output.extend(parser.commands(bytes));
            if !state.asking {
                state.exchanges += 1;
            }
        }
        state.asking = asking;
        (!state.silent.swallows(asking)).then_some(state.delay)
    }

    fn hand_out(&self, arriving: &Receiver<DelayedBytes>, mut to: TcpStream, asking: bool) {
        for (due, bytes) in arriving {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if locked(&self.state).silent.swallows(asking) {
                continue;
            }
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::{RedisServer, resp};

    #[test]
    fn connections_that_are_open_stay_with_their_server_when_the_name_leads_elsewhere() {
        let [one, two] = ["one", "two"].map(|name| {
            let server = RedisServer::start();
            server.command(&["SET", "name", name]);
            server
        });
        let proxy = Proxy::to(one.port());
        let mut early = resp::Admin::connect(proxy.port());
        assert_eq!(early.command(&["GET", "name"]).text(), "one");
        proxy.lead_to(two.port());
        let mut late = resp::Admin::connect(proxy.port());
        assert_eq!(late.command(&["GET", "name"]).text(), "two");
        assert_eq!(early.command(&["GET", "name"]).text(), "one");
        assert_eq!(proxy.accepted(), 2);
        assert_eq!(proxy.accepted(), 0);
    }
}
