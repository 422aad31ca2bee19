//! Rights are removed while sessions are in use: what is refused is told as such, and what is told is true.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_redis::{RedisServers, RedisStorage};
use sessile_testkit::redis::{Admin, RedisServer};

use crate::support::{allow, eventually, payload, record, rights};
use crate::visits::{MINUTE, create, process, queued, same_shard};

/// What a call does, whose rights are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Commit,
    Rotate,
    Touch,
    Destroy,
}

const VERBS: [Verb; 5] = [Verb::Create, Verb::Commit, Verb::Rotate, Verb::Touch, Verb::Destroy];

/// The server, a user with the rights of the documentation, and somebody with all rights, who looks.
struct Scene {
    server: RedisServer,
    user: Arc<RedisStorage>,
    witness: Arc<RedisStorage>,
}

/// What there is to see of a session, under its key and the one it may move to.
type Sight = (Lookup<(String, Option<u64>)>, Lookup<String>);

impl Scene {
    async fn set() -> Self {
        let server = RedisServer::start();
        allow(&server, &rights());
        let user = RedisServers::single(server.url())
            .username("sessions")
            .password("secret");
        let user = RedisStorage::builder(user).lease(MINUTE).connect().await.unwrap();
        let witness = process(&server.url()).await;
        Self {
            server,
            user: Arc::new(user),
            witness,
        }
    }

    async fn look(&self, key: &SessionKey, moved: &SessionKey) -> Sight {
        let here = self.witness.read(key).await.unwrap().map(|stored| {
            let text = String::from_utf8(stored.record.payload.to_vec()).unwrap();
            (text, stored.record.meta.deadline.map(|deadline| deadline.as_millis()))
        });
        (here, payload(&self.witness, moved).await)
    }

    /// Calls a verb with one right less, with or without somebody waiting for the lock, and checks what it says.
    async fn try_without(
        &self,
        admin: &mut Admin,
        right: &str,
        verb: Verb,
        waited_for: bool,
    ) -> Result<(), StorageError> {
        let key = crate::support::fresh();
        let moved = same_shard(&key, 7);
        if verb != Verb::Create {
            create(&self.user, &key).await.unwrap();
        }
        let needs_lock = matches!(verb, Verb::Commit | Verb::Rotate);
        let mut locked = match needs_lock || waited_for {
            true if verb != Verb::Create => self.user.lock(&key, MINUTE).await.unwrap().found(),
            _ => None,
        };
        let waiting = match &locked {
            Some(_) if waited_for => {
                let witness = Arc::clone(&self.witness);
                let waiting = tokio::spawn(async move { witness.lock(&key, MINUTE).await.map(drop) });
                eventually("waited for", async || queued(&self.server) > 0).await;
                Some(waiting)
            }
            _ => None,
        };
        let before = self.look(&key, &moved).await;
        let record = record(&self.user, "changed", Some(20 * MINUTE));
        let later = self.user.clock().now() + 30 * MINUTE;

        admin.set_user("sessions", &[&format!("-{}", &right[1..])]);
        let outcome = match (verb, &mut locked) {
            (Verb::Create, _) => self.user.create(&key, record).await,
            (Verb::Commit, Some(locked)) => self.user.commit(&mut locked.lock, record).await,
            (Verb::Rotate, Some(locked)) => self.user.rotate(&mut locked.lock, &moved, record, Duration::ZERO).await,
            (Verb::Touch, _) => {
                let touched = self.user.touch(&key, 1, Some(later), later).await;
                touched.map(|fits| assert!(fits))
            }
            _ => self.user.destroy(&key).await.map(drop),
        };
        let after = self.look(&key, &moved).await;
        admin.set_user("sessions", &[right]);

        let what = format!(
            "{verb:?} without {right}, waited for: {waited_for}: {outcome:?}, before {before:?}, after {after:?}"
        );
        match &outcome {
            Ok(()) => assert_ne!(before, after, "acknowledged, and not done: {what}"),
            Err(error) => {
                assert_eq!(error.kind(), StorageErrorKind::Denied, "{what}");
                assert_eq!(before, after, "denied, and done: {what}");
            }
        }
        if let Some(waiting) = waiting {
            waiting.abort();
            let _ = waiting.await;
        }
        drop(locked);
        self.witness.destroy(&key).await.unwrap();
        // A waiter that was granted the lock, or has left, tidies up in the background.
        eventually("nobody in a queue", async || queued(&self.server) == 0).await;
        outcome
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_right_a_verb_is_denied_and_has_done_nothing_or_is_done() {
    let scene = Scene::set().await;
    let mut admin = scene.server.admin();
    let mut denied = 0;
    for right in rights().iter().filter(|right| right.starts_with('+')) {
        for verb in VERBS {
            for waited_for in [false, true] {
                denied += u32::from(scene.try_without(&mut admin, right, verb, waited_for).await.is_err());
            }
        }
    }
    println!("{denied} calls were denied");
    assert!(denied > VERBS.len() as u32, "only {denied} calls were denied");
}
