//! [`Place`]: the location and settings of the storage, for driver and workers.

use std::time::Duration;

use sessile_redis::{RedisServers, RedisStorage};

/// Shorter than the longest stop: some holders come back too late.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// The time limit of a call. Longer than the highest latency.
const TIMEOUT: Duration = Duration::from_millis(500);

/// The time limit of a call, and the lease, if no server fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The variable in which workers find their place.
pub(crate) const VARIABLE: &str = "SESSILE_TORTURE_REDIS";

/// The writes that have to reach a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    Nothing,
    Ends,
    Everything,
}

/// The location and settings of the storage.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    arrangement: &'static str,
    urls: Vec<String>,
    durable: Durable,
    patient: bool,
}

impl Place {
    pub(crate) fn single(url: String) -> Self {
        Self::new("single", vec![url])
    }

    pub(crate) fn sentinel(urls: Vec<String>) -> Self {
        Self::new("sentinel", urls)
    }

    pub(crate) fn cluster(urls: Vec<String>) -> Self {
        Self::new("cluster", urls)
    }

    fn new(arrangement: &'static str, urls: Vec<String>) -> Self {
        let durable = Durable::Nothing;
        Self {
            arrangement,
            urls,
            durable,
            patient: false,
        }
    }

    pub(crate) fn durable(self, durable: Durable) -> Self {
        Self { durable, ..self }
    }

    /// Allows calls and locks a time that no machine needs, however busy it is: for tests in which no server fails.
    pub(crate) fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    /// Formats the place for an environment variable.
    pub(crate) fn text(&self) -> String {
        let Self {
            arrangement,
            urls,
            durable,
            patient,
        } = self;
        format!("{arrangement} {durable:?} {patient} {}", urls.join(" "))
    }

    /// Returns the place of a worker.
    pub(crate) fn of_worker() -> Self {
        let text = std::env::var(VARIABLE).expect("a worker has a place");
        let mut words = text.split(' ');
        let place: fn(Vec<String>) -> Self = match words.next() {
            Some("sentinel") => Self::sentinel,
            Some("cluster") => Self::cluster,
            _ => |mut urls| Self::single(urls.remove(0)),
        };
        let durable = match words.next() {
            Some("Ends") => Durable::Ends,
            Some("Everything") => Durable::Everything,
            _ => Durable::Nothing,
        };
        let patient = words.next() == Some("true");
        let place = place(words.map(str::to_owned).collect());
        Self {
            durable,
            patient,
            ..place
        }
    }

    /// Connects as soon as a server replies: a worker may start while the servers are down.
    pub(crate) async fn connect(&self) -> RedisStorage {
        let urls = self.urls.clone();
        let servers = match self.arrangement {
            "sentinel" => RedisServers::sentinel(urls, "primary"),
            "cluster" => RedisServers::cluster(urls),
            _ => RedisServers::single(urls.concat()),
        };
        let (timeout, lease) = if self.patient {
            (PATIENCE, PATIENCE)
        } else {
            (TIMEOUT, LEASE)
        };
        let mut builder = RedisStorage::builder(servers.timeout(timeout)).lease(lease);
        if self.durable != Durable::Nothing {
            builder = builder.durable(1, TIMEOUT / 2);
        }
        if self.durable == Durable::Everything {
            builder = builder.durable_commits();
        }
        for _ in 0..600 {
            match builder.clone().connect().await {
                Ok(storage) => return storage,
                Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => panic!("no connection: {error:?}"),
            }
        }
        panic!("no connection within a minute");
    }
}
