//! `NullStorage` keeps nothing.

use std::time::Duration;

use sessile_core::{
    Key, Lock, LockId, LockToken, Lookup, NullStorage, Session, SessionError, Storage, StorageErrorKind, Timestamp,
    Unlock, Untyped, Visit,
};

use crate::support::{HOUR, keys, kind, record};

struct NoUnlock;

impl Unlock for NoUnlock {
    fn unlock(&self, _: LockId) {}
}

#[tokio::test]
async fn nothing_is_ever_found() {
    let storage = NullStorage;
    let [key, other] = keys();
    for _ in 0..2 {
        storage
            .create(&key, record("x"))
            .await
            .expect("create succeeds, again and again");
    }
    assert_eq!(storage.read(&key).await.unwrap(), Lookup::Missing);
    assert!(matches!(storage.lock(&key, HOUR).await.unwrap(), Lookup::Missing));
    assert_eq!(storage.destroy(&key).await.unwrap(), Lookup::Missing);
    let page = storage.scan(None, 10).await.unwrap();
    assert_eq!((page.sessions, page.next), (Vec::new(), None));
    assert_eq!(storage.sweep(10).await.unwrap(), []);

    let token = LockToken::from_bytes([7; 16]);
    let mut lock = Lock::new(LockId::new(key, token), HOUR, std::sync::Arc::new(NoUnlock));
    let results = [
        storage.commit(&mut lock, record("y")).await,
        storage.rotate(&mut lock, &other, record("y"), Duration::ZERO).await,
        storage.renew(&lock.id()).await,
        storage.touch(&key, 1, None, Timestamp::MIN).await.map(drop),
    ];
    for result in results {
        assert_eq!(kind(result), Some(StorageErrorKind::Gone));
    }
    storage.release(lock).await.unwrap();
}

#[tokio::test]
async fn every_visit_is_the_first() {
    const COUNT: Key<Untyped, u32> = Key::new("count");
    let session: Session = Session::builder(NullStorage).build();
    let mut id = None;
    for _ in 0..3 {
        let visit = id.map_or_else(Visit::new, Visit::from);
        let seen = session.init(visit, async {
            session.start().await?;
            let seen = session.get(COUNT)?;
            session.set(COUNT, seen.unwrap_or_default() + 1)?;
            session.close().await?;
            Ok::<_, SessionError>((seen, session.id()))
        });
        let (seen, new) = seen.await.unwrap().unwrap();
        assert_eq!(seen, None);
        id = new;
    }
}
