//! A storage may support less if its profile says so. It has to refuse unsupported operations.

mod common;

use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{
    Capabilities, Clock, Cursor, ImmediateStorage, Lock, LockId, Locked, Lookup, Page, Record, SessionKey, Storage,
    StorageError, StorageErrorKind, Stored, Timestamp,
};
use sessile_lab::{Broken, Bug};
use sessile_testkit::{ModelStorage, Profile, Subject, Sweep, storage_tests};

use self::common::failure;

/// A model that does not rotate with a grace, scan or drain, and that sweeps in its own way.
#[derive(Debug)]
struct Partial {
    inner: ModelStorage,
    sweep: Sweep,
}

fn unsupported<T>(operation: &'static str) -> Result<T, StorageError> {
    Err(StorageError::new(StorageErrorKind::Unsupported, operation, "model"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Partial {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner.clock()
    }

    fn capabilities(&self) -> Capabilities<'_> {
        self.inner.capabilities()
    }

    /// Returns `None`: only the futures refuse unsupported operations.
    fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        None
    }

    async fn read(&self, key: &SessionKey) -> Result<Lookup<Stored>, StorageError> {
        self.inner.read(key).await
    }

    async fn lock(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, StorageError> {
        self.inner.lock(key, wait).await
    }

    async fn create(&self, key: &SessionKey, record: Record) -> Result<(), StorageError> {
        self.inner.create(key, record).await
    }

    async fn commit(&self, lock: &mut Lock, record: Record) -> Result<(), StorageError> {
        self.inner.commit(lock, record).await
    }

    async fn replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        self.inner.replace(known, record).await
    }

    async fn rotate(
        &self,
        lock: &mut Lock,
        new_key: &SessionKey,
        record: Record,
        grace: Duration,
    ) -> Result<(), StorageError> {
        if !grace.is_zero() {
            return unsupported("rotate");
        }
        self.inner.rotate(lock, new_key, record, grace).await
    }

    async fn release(&self, lock: Lock) -> Result<(), StorageError> {
        self.inner.release(lock).await
    }

    async fn renew(&self, lock: &LockId) -> Result<(), StorageError> {
        self.inner.renew(lock).await
    }

    async fn touch(
        &self,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
    ) -> Result<bool, StorageError> {
        self.inner.touch(key, version, deadline, last_active).await
    }

    async fn destroy(&self, key: &SessionKey) -> Result<Lookup<()>, StorageError> {
        self.inner.destroy(key).await
    }

    async fn scan(&self, _: Option<Cursor>, _: usize) -> Result<Page, StorageError> {
        unsupported("scan")
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        match self.sweep {
            Sweep::Unsupported => unsupported("sweep"),
            Sweep::Silent => self.inner.sweep(limit).await.map(|_| Vec::new()),
            Sweep::Returns => self.inner.sweep(limit).await,
        }
    }

    async fn drain(&self, _patience: Duration) {}
}

fn subject_of(sweep: Sweep) -> Subject {
    let inner = ModelStorage::new().with_max_waiters(8);
    let profile = Profile::paused().with_max_waiters(8).with_usage().with_sweep(sweep);
    Subject::new(
        Partial { inner, sweep },
        profile.without_aliases().without_scan().without_drain(),
    )
}

mod refusing {
    use super::*;

    async fn subject() -> Subject {
        subject_of(Sweep::Unsupported)
    }

    storage_tests!(subject);
}

mod silent {
    use super::*;

    async fn subject() -> Subject {
        subject_of(Sweep::Silent)
    }

    storage_tests!(subject);
}

/// Returns the failure of a storage that differs from its profile.
fn failure_of(case: &str, bug: Option<Bug>, profile: Profile) -> Option<String> {
    failure(case, || {
        let profile = profile.clone().with_max_waiters(8);
        match bug {
            Some(bug) => Subject::new(Broken::new(bug), profile),
            None => Subject::new(ModelStorage::new().with_max_waiters(8), profile),
        }
    })
}

#[test]
fn a_grace_that_is_silently_ignored_is_no_refusal() {
    let cases = [
        "create::refuses_an_alias",
        "wait::follows_rotation_with_a_grace",
        "alias::is_followed_by_every_operation",
    ];
    for case in cases {
        for bug in [Some(Bug::RotateIgnoresGrace), None] {
            let failure = failure_of(case, bug, Profile::paused().without_aliases());
            let failure = failure.expect("the storage ought to refuse");
            assert!(failure.contains("must fail with Unsupported"), "{failure}");
        }
    }
}

#[test]
fn a_scan_or_sweep_that_is_not_refused_is_a_failure() {
    let scan = failure_of("scan::lists_only_what_lives", None, Profile::paused().without_scan());
    assert!(scan.expect("it scans").contains("must fail with Unsupported"));
    let race = failure_of(
        "race::a_scan_misses_none_that_lives_throughout",
        None,
        Profile::paused().without_scan(),
    );
    assert!(race.expect("it scans").contains("must fail with Unsupported"));
    let unsupported = Profile::paused().with_sweep(Sweep::Unsupported);
    let sweep = failure_of("sweep::returns_each_once", None, unsupported);
    assert!(sweep.expect("it sweeps").contains("must fail with Unsupported"));
    let silent = Profile::paused().with_sweep(Sweep::Silent);
    let sweep = failure_of("sweep::returns_each_once", None, silent);
    assert!(
        sweep
            .expect("it reports")
            .contains("a storage that does not say what has expired says it of some")
    );
}

/// The opposite case: supporting less than the profile says is a failure too.
#[test]
fn a_refusal_that_was_not_announced_is_a_failure() {
    let cases = [
        "alias::is_followed_by_every_operation",
        "scan::of_nothing_ends",
        "sweep::returns_each_once",
    ];
    for case in cases {
        let failure = failure(case, || {
            let inner = ModelStorage::new().with_max_waiters(8);
            let partial = Partial {
                inner,
                sweep: Sweep::Unsupported,
            };
            Subject::new(partial, Profile::paused().with_max_waiters(8))
        });
        assert!(failure.expect("it does not do that").contains("Unsupported"), "{case}");
    }
}

#[test]
fn a_drain_that_was_denied_or_does_only_half_is_a_failure() {
    let case = "drain::gives_up_what_is_not_given_back";
    let denied = failure_of(case, None, Profile::paused().without_drain());
    assert!(denied.expect("it drains").contains("must fail with LockTimeout"));
    let missing = failure_of(case, Some(Bug::DrainDoesNothing), Profile::paused());
    assert!(missing.expect("it does not").contains("is to be had at once"));
}
