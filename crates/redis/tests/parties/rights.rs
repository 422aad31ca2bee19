//! Permissions are revoked while sessions are in use: refusals are reported as such, and reports are true.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage, StorageError, StorageErrorKind};
use sessile_lab::redis::{Admin, RedisServer};
use sessile_redis::{RedisServers, RedisStorage};

use crate::support::{allow, eventually, payload, permissions, record};
use crate::visits::{MINUTE, create, process, queued, same_shard};

/// The effect of a call without a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Commit,
    Rotate,
    Touch,
    Destroy,
}

const OPERATIONS: [Operation; 5] = [
    Operation::Create,
    Operation::Commit,
    Operation::Rotate,
    Operation::Touch,
    Operation::Destroy,
];

/// The server, a user with the documented permissions, and an observer with all permissions.
struct Scene {
    server: RedisServer,
    user: Arc<RedisStorage>,
    witness: Arc<RedisStorage>,
}

/// The visible state of a session, under its key and the one to which it may move.
type Sight = (Lookup<(String, Option<u64>)>, Lookup<String>);

impl Scene {
    async fn set() -> Self {
        let server = RedisServer::start();
        allow(&server, &permissions());
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

    /// Calls an operation with one permission less, with or without a waiter for the lock, and checks the result.
    async fn try_without(
        &self,
        admin: &mut Admin,
        right: &str,
        operation: Operation,
        waited_for: bool,
    ) -> Result<(), StorageError> {
        let key = crate::support::fresh();
        let moved = same_shard(&key, 7);
        if operation != Operation::Create {
            create(&self.user, &key).await.unwrap();
        }
        let needs_lock = matches!(operation, Operation::Commit | Operation::Rotate);
        let mut locked = match needs_lock || waited_for {
            true if operation != Operation::Create => self.user.lock(&key, MINUTE).await.unwrap().found(),
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
        let outcome = match (operation, &mut locked) {
            (Operation::Create, _) => self.user.create(&key, record).await,
            (Operation::Commit, Some(locked)) => self.user.commit(&mut locked.lock, record).await,
            (Operation::Rotate, Some(locked)) => {
                self.user.rotate(&mut locked.lock, &moved, record, Duration::ZERO).await
            }
            (Operation::Touch, _) => {
                let touched = self.user.touch(&key, 1, Some(later), later).await;
                touched.map(|fits| assert!(fits))
            }
            _ => self.user.destroy(&key).await.map(drop),
        };
        let after = self.look(&key, &moved).await;
        admin.set_user("sessions", &[right]);

        let what = format!(
            "{operation:?} without {right}, waited for: {waited_for}: {outcome:?}, before {before:?}, after {after:?}"
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
        // A waiter that was granted the lock, or has left, cleans up in the background.
        eventually("no process in a queue", async || queued(&self.server) == 0).await;
        outcome
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_permission_an_operation_is_denied_without_effect_or_done() {
    let scene = Scene::set().await;
    let mut admin = scene.server.admin();
    let mut denied = 0;
    for right in permissions().iter().filter(|right| right.starts_with('+')) {
        for operation in OPERATIONS {
            for waited_for in [false, true] {
                denied += u32::from(
                    scene
                        .try_without(&mut admin, right, operation, waited_for)
                        .await
                        .is_err(),
                );
            }
        }
    }
    println!("{denied} calls were denied");
    assert!(denied > OPERATIONS.len() as u32, "only {denied} calls were denied");
}
