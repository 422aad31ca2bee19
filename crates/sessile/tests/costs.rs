//! What a visit asks of Redis, as the table in the guide says.

use sessile::{Expiration, Key, MINUTE, RedisStorage, Session, SessionError, SessionId, Untyped, Visit};
use sessile_testkit::redis::{Proxy, RedisServer};

const COUNT: Key<Untyped, u64> = Key::new("count");

/// A server whose every command is heard.
struct Heard {
    proxy: Proxy,
    session: Session,
    _server: RedisServer,
}

impl Heard {
    async fn start() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        let storage = RedisStorage::connect(proxy.url()).await.expect("a connection");
        let session = Session::builder(storage).default_expiration(Expiration::sliding(20 * MINUTE));
        let heard = Self {
            proxy,
            session: session.build(),
            _server: server,
        };
        // The server learns the scripts when they are first used, which costs one command more.
        let id = heard.begin().await;
        heard.visit(Visit::from(id.clone())).await;
        let id = heard.log_in(id).await;
        heard.log_out(id).await;
        let _ = heard.commands();
        heard
    }

    async fn begin(&self) -> SessionId {
        self.visit(Visit::new()).await.expect("a session has an id")
    }

    /// Changes something.
    async fn visit(&self, visit: Visit) -> Option<SessionId> {
        let changed = self.session.enter(visit, async {
            self.session.update_key(COUNT, |count| *count += 1)?;
            self.session.close().await?;
            Ok::<_, SessionError>(self.session.id())
        });
        changed.await.expect("a change")
    }

    async fn log_in(&self, id: SessionId) -> SessionId {
        let changed = self.session.enter(Visit::from(id), async {
            self.session.regenerate_id()?;
            self.session.close().await?;
            Ok::<_, SessionError>(self.session.id())
        });
        changed.await.expect("a rotation").expect("a session has an id")
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

    /// How many commands there were since the last time, but for the one by which, once a second, the server shows that
    /// it is the primary. It goes in one packet with a read.
    fn commands(&self) -> usize {
        let commands = self.proxy.commands();
        let proofs = commands.iter().filter(|command| *command == "DEL").count();
        assert!(proofs <= 1, "{commands:?}");
        commands.len() - proofs
    }
}

#[tokio::test]
async fn a_visit_costs_what_the_guide_says() {
    let heard = Heard::start().await;

    let id = heard.begin().await;
    assert_eq!(heard.commands(), 1, "begins a session");

    let untouched = heard.session.init(Visit::from(id.clone()), async {});
    untouched.await.expect("a visit");
    assert_eq!(heard.commands(), 0, "leaves its session alone");

    assert_eq!(heard.read(id.clone()).await, Some(1));
    assert_eq!(heard.commands(), 1, "reads");

    let unknown = SessionId::parse("nobody-has-ever-had-this-id-00000").expect("an id");
    assert_eq!(heard.read(unknown).await, None);
    assert_eq!(heard.commands(), 1, "reads an id that is unknown");

    heard.visit(Visit::from(id.clone())).await;
    assert_eq!(heard.commands(), 2, "changes, under the lock");

    let new = heard.log_in(id).await;
    assert_eq!(heard.commands(), 2, "changes, and changes the id");

    heard.log_out(new).await;
    assert_eq!(heard.commands(), 1, "logs out");
}
