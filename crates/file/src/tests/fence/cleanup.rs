//! Operations that remove files, which is not fenced, are halted, overtaken and resumed.

use sessile_core::{Lookup, Record, Storage, StorageErrorKind};
use tokio::time::timeout;

use super::{Halted, LEASE, SOON, at_every_call, payload, plain};
use crate::FileStorage;
use crate::tests::operation::Operation;
use crate::tests::scenario::{NEW, OLD};

/// The removal of a lease is not fenced. It can remove the lease of the next holder, whose commit is then refused; no
/// update is lost.
#[tokio::test(flavor = "multi_thread")]
async fn of_release() {
    plain(Operation::Release, async |mut halted| {
        halted.clock.advance(LEASE);
        let locked = halted.other.lock(&halted.scenario.key, SOON).await.expect("lock");
        let mut locked = locked.found().expect("live");
        assert_eq!(halted.resume().await, Ok(()), "{}", halted.call);
        let record = Record::new(locked.record.meta.clone(), NEW);
        let expected: &[u8] = match halted.other.commit(&mut locked.lock, record).await {
            Ok(()) => NEW,
            Err(error) => {
                assert_eq!(error.kind(), StorageErrorKind::LockLost, "{}", halted.call);
                assert!(halted.call.contains("Remove"), "{}: {error:?}", halted.call);
                OLD
            }
        };
        assert_eq!(payload(&halted).await.as_deref(), Some(expected), "{}", halted.call);
        let again = halted.other.lock(&halted.scenario.key, SOON).await.expect("lock");
        assert_eq!(again.found().expect("live").record.payload, expected, "{}", halted.call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sweep() {
    let run = |storage: FileStorage, _, _| async move { storage.sweep(10).await.expect("sweep").len() };
    at_every_call(Operation::Sweep, run, async |mut halted: Halted<usize>| {
        let swept = timeout(SOON, halted.other.sweep(10))
            .await
            .expect("others are not blocked")
            .expect("sweep")
            .len();
        assert_eq!(
            swept + halted.resume().await,
            3,
            "{}: each session is removed once",
            halted.call
        );
        assert_eq!(payload(&halted).await, None, "{}", halted.call);
        for key in halted.scenario.leafmates() {
            assert_eq!(
                halted.other.read(&key).await.expect("read"),
                Lookup::Missing,
                "{}",
                halted.call
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_quarantine() {
    plain(Operation::Quarantine, async |mut halted| {
        let read = timeout(SOON, halted.other.read(&halted.scenario.key))
            .await
            .expect("others are not blocked");
        assert_eq!(
            read.map_err(|error| error.kind()),
            Err(StorageErrorKind::Corrupt),
            "{}",
            halted.call
        );
        assert_eq!(halted.resume().await, Ok(()), "{}", halted.call);
        let read = halted.other.read(&halted.scenario.key).await;
        assert_eq!(
            read.map_err(|error| error.kind()),
            Err(StorageErrorKind::Corrupt),
            "{}",
            halted.call
        );
    })
    .await;
}
