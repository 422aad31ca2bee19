//! A client and the engine over a pipe that delays, doubles and reorders: after it has been drained, both are equal.

mod client;

use proptest::prelude::*;
use serde_json::{Value, json};
use sessile_document::{Bounds, Document, DollarPolicy, OpenPolicy, Options, WritePolicy};

use self::client::Client;

/// One event: its kind, and numbers that it takes its choices from.
type Event = (u8, u8, u8);

struct Simulation {
    server: Document,
    client: Client,
    open: bool,
    to_server: Vec<String>,
    to_client: Vec<String>,
    counter: u32,
}

impl Simulation {
    fn new(open: bool) -> Self {
        let root = json!({"n$": 0, "tick": 0, "box$": {"a$": 0, "b$": {"c$": 0}},
            "items": [element(1), element(2), element(3)], "map": {}});
        let mut server = Document::new(root, Options::DEFAULT.patch_versioning()).expect("a message fits");
        let client = Client::new(&server.establish().expect("a message fits"));
        Self {
            server,
            client,
            open,
            to_server: Vec::new(),
            to_client: Vec::new(),
            counter: 100,
        }
    }

    fn run(&mut self, (kind, a, b): Event) {
        match kind % 12 {
            0..=2 => self.edit_on_server(a, b),
            3..=5 => self.edit_on_client(a, b),
            6 => self.push(),
            7 | 8 => self.deliver_to_server(a, b % 4 == 0),
            9 | 10 => self.deliver_to_client(a),
            _ if a < 40 => self.reconnect(),
            _ => {}
        }
        // As between two visits, the document lies in a record.
        let record = serde_json::to_string(&self.server).expect("a message fits");
        self.server = serde_json::from_str(&record).expect("a message fits");
    }

    fn edit_on_server(&mut self, a: u8, b: u8) {
        self.counter += 1;
        let value = json!(self.counter);
        let length = self.server.root()["items"].as_array().expect("a message fits").len();
        let (at, place) = (usize::from(b) % length.max(1), usize::from(b) % (length + 1));
        let server = &mut self.server;
        match a % 16 {
            0 | 1 => server.set("/n$", value),
            2 | 3 => server.set("/tick", value),
            4..=6 => server.insert(&format!("/items/{place}"), element(self.counter)),
            7 | 8 if length > 0 => server.remove(&format!("/items/{at}")).map(drop),
            9 if length > 0 => server.set(&format!("/items/{at}/t$"), value),
            10 if length > 0 => server.set(&format!("/items/{at}"), element(self.counter)),
            11 => server.set("/box$/b$/c$", value),
            12 => server.set(&format!("/map/k{}$", b % 3), value),
            13 => server.remove(&format!("/map/k{}$", b % 3)).map(drop),
            14 if b < 60 => server.set("/items", json!([element(self.counter)])),
            15 if b < 20 => {
                let mut root = server.root().clone();
                root["tick"] = value;
                server.replace_root(root)
            }
            _ => server.set("/box$/a$", value),
        }
        .expect("a message fits");
    }

    fn edit_on_client(&mut self, a: u8, b: u8) {
        self.counter += 1;
        let value = json!(self.counter);
        let length = self.client.document["items"].as_array().expect("a message fits").len();
        let at = usize::from(b) % length.max(1);
        let (path, value) = match a % 8 {
            0 => ("/n$".to_owned(), value),
            1 => ("/tick".to_owned(), value),
            2..=4 if length > 0 => (format!("/items/{at}/t$"), value),
            5 if length > 0 => (format!("/items/{at}"), element(self.counter)),
            6 => ("/box$".to_owned(), json!({"a$": value, "b$": {"c$": value}})),
            _ => (format!("/map/k{}$", b % 3), value),
        };
        if self.client.document.pointer(&path).is_some() {
            let message = self.client.replace(&path, value);
            self.to_server.push(message);
        }
    }

    fn push(&mut self) {
        self.to_client.extend(self.server.push().expect("a message fits"));
    }

    fn deliver_to_server(&mut self, at: u8, twice: bool) {
        if self.to_server.is_empty() {
            return;
        }
        let at = usize::from(at) % self.to_server.len();
        let message = if twice {
            self.to_server[at].clone()
        } else {
            self.to_server.remove(at)
        };
        let policy: &dyn WritePolicy = if self.open { &OpenPolicy } else { &DollarPolicy };
        let reply = self
            .server
            .receive(message.as_bytes(), policy, false)
            .expect("a message fits");
        assert_eq!(reply.refused, None);
        self.to_client.push(reply.body);
    }

    fn deliver_to_client(&mut self, at: u8) {
        if !self.to_client.is_empty() {
            let message = self.to_client.remove(usize::from(at) % self.to_client.len());
            self.client.receive(&message);
        }
    }

    /// Messages to the client are lost; those to the server still arrive.
    fn reconnect(&mut self) {
        self.to_client.clear();
        let policy: &dyn WritePolicy = if self.open { &OpenPolicy } else { &DollarPolicy };
        let state = self.server.reconnect(self.client.pending().as_bytes(), policy, false);
        self.client.reset(&state.expect("a message fits"));
        assert_eq!(self.server.client_version(), self.client.own);
    }

    fn drain(&mut self) {
        while !self.to_server.is_empty() || !self.to_client.is_empty() || self.server.has_unsent() {
            self.deliver_to_server(0, false);
            self.push();
            self.deliver_to_client(0);
        }
        assert!(!self.client.is_waiting());
        assert_eq!(self.client.seen, self.server.server_version());
        assert_eq!(self.client.own, self.server.client_version());
        assert_eq!(self.client.document, *self.server.root());
    }
}

fn element(number: u32) -> Value {
    json!({"t$": number, "o": {"p$": number}})
}

fn check(open: bool, bounds: Bounds, events: &[Event]) {
    let mut simulation = Simulation::new(open);
    for event in events {
        simulation.server = simulation.server.with_bounds(bounds);
        simulation.run(*event);
    }
    simulation.drain();
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(any::<Event>(), 0..50)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_that_both_sides_write_converge(events in events()) {
        check(true, Bounds::default(), &events);
    }

    #[test]
    fn edits_that_the_policy_denies_are_put_right(events in events()) {
        check(false, Bounds::default(), &events);
    }

    #[test]
    fn small_bounds_send_the_whole_state_and_converge(events in events()) {
        let bounds = Bounds { log_steps: 2, unsent_operations: 2, ..Bounds::default() };
        check(true, bounds, &events);
    }
}
