//! Listing sessions.

mod common;

use std::collections::HashMap;

use common::*;
use sessile_core::{Cursor, SessionHead, SessionKey, Storage, StorageErrorKind};
use sessile_memory::MemoryStorage;

/// Counts how often each key is listed, and runs `between` after each page.
async fn scan(storage: &MemoryStorage, limit: usize, mut between: impl AsyncFnMut()) -> HashMap<SessionKey, usize> {
    let (mut seen, mut cursor) = (HashMap::new(), None);
    loop {
        let page = storage.scan(cursor, limit).await.expect("a page");
        assert!(page.sessions.len() <= limit);
        for SessionHead { key, .. } in page.sessions {
            *seen.entry(key).or_default() += 1;
        }
        // A cursor survives as bytes.
        cursor = page.next.map(|cursor| Cursor::from_bytes(cursor.as_bytes()));
        if cursor.is_none() {
            return seen;
        }
        between().await;
    }
}

#[tokio::test]
async fn every_live_session_is_listed_once_while_nothing_changes() {
    let (storage, clock) = manual_storage();
    assert!(scan(&storage, 10, async || {}).await.is_empty());
    let mut keys = Vec::new();
    for index in 0..1_000 {
        if index % 4 == 0 {
            storage.create(&new_key(), ending(&storage, "", SECOND)).await.unwrap();
        } else {
            keys.push(session(&storage, "").await);
        }
    }
    clock.advance(SECOND);
    for limit in [1, 7, 1_000, usize::MAX] {
        let seen = scan(&storage, limit, async || {}).await;
        assert_eq!(seen.len(), keys.len());
        assert!(keys.iter().all(|key| seen[key] == 1));
    }
}

#[tokio::test]
async fn it_lists_the_metadata_of_a_session() {
    let (storage, _clock) = manual_storage();
    let key = new_key();
    let record = ending(&storage, "", SECOND);
    storage.create(&key, record.clone()).await.unwrap();
    let head = SessionHead::new(key, record.meta).with_payload_len(record.payload.len());
    assert_eq!(storage.scan(None, 10).await.unwrap().sessions, [head]);
}

#[tokio::test]
async fn a_session_that_lives_throughout_is_listed_despite_changes() {
    for shards in [1, 8] {
        let storage = MemoryStorage::builder().shards(shards).sweeper(false).build();
        let (mut staying, mut going) = (Vec::new(), Vec::new());
        for _ in 0..500 {
            staying.push(session(&storage, "").await);
            going.push(session(&storage, "").await);
        }
        // Between pages some of the oldest and of the newest sessions are destroyed, and as many are created.
        let mut oldest = true;
        let seen = scan(&storage, 13, async || {
            for _ in 0..5 {
                oldest = !oldest;
                if !going.is_empty() {
                    let key = if oldest { going.remove(0) } else { going.pop().unwrap() };
                    storage.destroy(&key).await.unwrap();
                }
                going.push(session(&storage, "").await);
            }
        })
        .await;
        let missed = staying.iter().filter(|key| !seen.contains_key(*key)).count();
        assert_eq!(missed, 0);
    }
}

#[tokio::test]
async fn a_session_that_is_rotated_meanwhile_is_listed_under_one_of_its_keys() {
    let storage = MemoryStorage::builder().shards(1).sweeper(false).build();
    let mut pairs = Vec::new();
    for _ in 0..200 {
        let [old, new] = rotated_keys();
        storage.create(&old, record(&storage, "")).await.unwrap();
        pairs.push((old, new));
    }
    let mut rest = pairs.clone().into_iter();
    let seen = scan(&storage, 7, async || {
        for (old, new) in rest.by_ref().take(10) {
            let mut lock = take(&storage, &old).await;
            storage
                .rotate(&mut lock, &new, record(&storage, ""), SECOND)
                .await
                .unwrap();
        }
    })
    .await;
    assert!(
        pairs
            .iter()
            .all(|(old, new)| seen.contains_key(old) || seen.contains_key(new))
    );
}

#[tokio::test]
async fn a_limit_of_zero_lists_no_session_and_misses_none() {
    let storage = MemoryStorage::new();
    session(&storage, "").await;
    let page = storage.scan(None, 0).await.unwrap();
    assert_eq!(page.sessions, []);
    let page = storage.scan(page.next, 10).await.unwrap();
    assert_eq!(page.sessions.len(), 1);
}

#[tokio::test]
async fn a_malformed_cursor_is_refused() {
    let storage = MemoryStorage::new();
    for bytes in [&b""[..], b"1234567", b"123456789", b"42"] {
        let refused = storage.scan(Some(Cursor::from_bytes(bytes)), 10).await;
        assert_eq!(kind(refused), StorageErrorKind::Other);
    }
    // A well-formed cursor that no scan has returned ends the scan at worst.
    let page = storage.scan(Some(Cursor::from_bytes([0xff; 8])), 10).await.unwrap();
    assert!(page.next.is_none());
}
