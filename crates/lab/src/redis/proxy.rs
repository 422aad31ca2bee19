//! [`Proxy`]: an unreliable connection between a storage and its server, which is also observed.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::parser::Parser;
use crate::locked;

/// Forwards connections to a server, with faults and delays, and counts the commands.
///
/// Dropping it closes all connections.
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
    /// The server of new connections.
    upstream: u16,
    accepted: u64,
    delay: Duration,
    /// Existing connections are closed and new ones are not accepted.
    cut: bool,
    /// Bytes in these directions are discarded without an error.
    silent: Silence,
    open: Vec<TcpStream>,
    output: Vec<String>,
    exchanges: usize,
    /// The last bytes went to the server.
    asking: bool,
}

/// The directions in which bytes are discarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Silence {
    #[default]
    Nothing,
    Replies,
    Everything,
}

impl Silence {
    fn swallows(self, asking: bool) -> bool {
        self == Self::Everything || self == Self::Replies && !asking
    }
}

impl Proxy {
    /// Starts a proxy for the server on this port.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
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

    /// Returns the port of the proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the connection URL of the proxy.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Connects new connections to the server on this port. Open connections keep their server, as after a change of a
    /// DNS name or a planned failover of a managed service.
    pub fn lead_to(&self, port: u16) {
        self.state().upstream = port;
    }

    /// Returns the number of connections since the last call, refused ones included.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        std::mem::take(&mut self.state().accepted)
    }

    /// Delays all bytes by this time in each direction.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Closes all connections, and each new one immediately.
    pub fn cut(&self) {
        let mut state = self.state();
        state.cut = true;
        state.close();
    }

    /// Closes all connections, and accepts new ones.
    pub fn hang_up(&self) {
        self.state().close();
    }

    /// Discards all bytes in both directions, on connections that stay open, like an unplugged cable. New connections
    /// are accepted and get no response either.
    pub fn go_silent(&self) {
        self.state().silent = Silence::Everything;
    }

    /// Forwards commands and discards the replies: the server executes commands whose outcome the client does not
    /// learn.
    pub fn lose_replies(&self) {
        self.state().silent = Silence::Replies;
    }

    /// Forwards everything again. Discarded bytes are lost, so the connections of that time are closed.
    pub fn heal(&self) {
        let mut state = self.state();
        if state.silent != Silence::Nothing {
            state.close();
        }
        state.silent = Silence::Nothing;
        state.cut = false;
        state.delay = Duration::ZERO;
    }

    /// Returns the names of the commands sent to the server since the last call.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.state().output)
    }

    /// Counts, since the last call, how often bytes went to the server first or after bytes from it. If a client waits
    /// for each reply, this is the number of round trips.
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
        // Wakes the thread that accepts connections.
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

/// Bytes, and the time at which they may be delivered.
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

    /// Forwards one direction: one thread reads, and another writes when the delay has passed, so that a delay does not
    /// reduce the throughput.
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

    /// Counts the bytes and returns their delay. `None` if they are discarded.
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
