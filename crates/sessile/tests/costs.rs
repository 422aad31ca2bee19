//! The number of Redis commands per visit is that of the table in the guide.

use sessile::{Expiration, Key, MINUTE, RedisStorage, Session, SessionError, SessionId, Untyped, Visit};
use sessile_lab::redis::{Proxy, RedisServer};

const COUNT: Key<Untyped, u64> = Key::new("count");

/// A session on a Redis server behind a proxy that counts commands.
struct CountedRedis {
    proxy: Proxy,
    session: Session,
    _server: RedisServer,
}

impl CountedRedis {
    async fn start() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        let storage = RedisStorage::connect(proxy.url()).await.expect("a connection");
        let session = Session::builder(storage).default_expiration(Expiration::sliding(20 * MINUTE));
        let redis = Self {
            proxy,
            session: session.build(),
            _server: server,
        };
        // The first use of each script takes one command more, which loads it.
        let id = redis.begin().await;
        redis.visit(Visit::from(id.clone())).await;
        let id = redis.log_in(id).await;
        redis.log_out(id).await;
        let _ = redis.commands();
        redis
    }

    async fn begin(&self) -> SessionId {
        self.visit(Visit::new()).await.expect("a session has an id")
    }

    /// Runs a visit that changes a value.
    async fn visit(&self, visit: Visit) -> Option<SessionId> {
        let changed = self.session.enter(visit, async {
            self.session.update(COUNT, |count| *count += 1)?;
            self.session.close().await?;
            Ok::<_, SessionError>(self.session.id())
        });
        changed.await.expect("a change").output
    }

    async fn log_in(&self, id: SessionId) -> SessionId {
        let changed = self.session.enter(Visit::from(id), async {
            self.session.regenerate_id()?;
            self.session.close().await?;
            Ok::<_, SessionError>(self.session.id())
        });
        changed.await.expect("a rotation").output.expect("a session has an id")
    }

    async fn read(&self, id: SessionId) -> Option<u64> {
        let read = self.session.init(Visit::from(id), async {
            self.session.start_readonly().await?;
            self.session.get(COUNT)
        });
        read.await.expect("a visit").expect("a read")
    }

    async fn log_out(&self, id: SessionId) {
        let gone = self.session.init(Visit::from(id), self.session.destroy());
        gone.await.expect("a visit").expect("a logout");
    }

    /// Returns the number of commands since the last call, except for the one by which the server proves once a second
    /// that it is the primary. That one is sent in one packet with a read.
    fn commands(&self) -> usize {
        let commands = self.proxy.commands();
        let proofs = commands.iter().filter(|command| *command == "DEL").count();
        assert!(proofs <= 1, "{commands:?}");
        commands.len() - proofs
    }
}

#[tokio::test]
async fn a_visit_takes_the_commands_that_the_guide_lists() {
    let redis = CountedRedis::start().await;

    let id = redis.begin().await;
    assert_eq!(redis.commands(), 1, "begins a session");

    let untouched = redis.session.init(Visit::from(id.clone()), async {});
    untouched.await.expect("a visit");
    assert_eq!(redis.commands(), 0, "does not use its session");

    assert_eq!(redis.read(id.clone()).await, Some(1));
    assert_eq!(redis.commands(), 1, "reads");

    let unknown = SessionId::parse("nobody-has-ever-had-this-id-00000").expect("an id");
    assert_eq!(redis.read(unknown).await, None);
    assert_eq!(redis.commands(), 1, "reads an id that is unknown");

    redis.visit(Visit::from(id.clone())).await;
    assert_eq!(redis.commands(), 2, "changes, under the lock");

    let new = redis.log_in(id).await;
    assert_eq!(redis.commands(), 2, "changes, and changes the id");

    redis.log_out(new).await;
    assert_eq!(redis.commands(), 1, "logs out");
}
