//! Every operation of a storage passes through its interceptor.

use std::sync::Mutex;
use std::time::Duration;

use sessile_core::{
    Intercept, Operation, OperationOutput, SessionKey, Storage, StorageCall, StorageError, StorageErrorKind,
};
use sessile_testkit::{Calls, Counting, ModelStorage};

use crate::support::{HOUR, MINUTE, assert_free, created, keys, kind, locked, next, record};

/// The operation of a call, its key and its wait.
type Observed = (Operation, Option<SessionKey>, Duration);

/// A wrapper that records calls, and refuses them if asked to.
#[derive(Debug)]
struct Observer {
    inner: Counting<ModelStorage>,
    refuses: bool,
    observed: Mutex<Vec<Observed>>,
    outcomes: Mutex<Vec<&'static str>>,
}

impl Observer {
    fn new(model: ModelStorage, refuses: bool) -> (Self, Calls) {
        let inner = Counting::new(model);
        let calls = inner.calls();
        let observer = Self {
            inner,
            refuses,
            observed: Mutex::default(),
            outcomes: Mutex::default(),
        };
        (observer, calls)
    }

    fn take(&self) -> Vec<Observed> {
        std::mem::take(&mut self.observed.lock().unwrap())
    }
}

impl Intercept for Observer {
    type Inner = Counting<ModelStorage>;

    fn inner(&self) -> &Self::Inner {
        &self.inner
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let operation = call.operation();
        let observed = (operation, call.key().copied(), call.wait());
        self.observed.lock().unwrap().push(observed);
        if self.refuses {
            return Err(StorageError::new(
                StorageErrorKind::Denied,
                operation.name(),
                self.inner.name(),
            ));
        }
        let output = call.run().await?;
        self.outcomes.lock().unwrap().push(output.outcome());
        Ok(output)
    }
}

/// Calls every operation once, and asserts after each that it was observed once and reached the storage `runs` times.
async fn call_each(
    storage: &Observer,
    calls: &Calls,
    model: &ModelStorage,
    runs: u64,
) -> Vec<Option<StorageErrorKind>> {
    let mut results = Vec::new();
    let mut expected = Operation::ALL.into_iter();
    let mut observed = |result: Option<StorageErrorKind>, key: Option<SessionKey>, wait: Duration| {
        let operation = expected.next().expect("there are more operations");
        assert_eq!(storage.take(), [(operation, key, wait)]);
        assert_eq!(calls.of(operation), runs, "{operation}");
        assert_eq!(calls.take().total(), runs, "{operation}");
        results.push(result);
    };
    let [new, committed, replaced, rotated, moved, released, destroyed] = keys();
    for key in [committed, replaced, rotated, released, destroyed] {
        model.create(&key, record("0")).await.unwrap();
    }
    let second = next(&record("0"), "1");
    let known = model.read(&replaced).await.unwrap().found().expect("it was created");
    let now = model.clock().now();

    let result = storage.read(&committed).await;
    observed(kind(result), Some(committed), Duration::ZERO);
    let result = storage.lock(&committed, MINUTE).await;
    observed(kind(result), Some(committed), MINUTE);
    let result = storage.create(&new, record("0")).await;
    observed(kind(result), Some(new), Duration::ZERO);
    let mut lock = locked(model, &committed).await.lock;
    let result = storage.commit(&mut lock, second.clone()).await;
    observed(kind(result), Some(committed), Duration::ZERO);
    let result = storage.replace(&known, second.clone()).await;
    observed(kind(result), Some(replaced), Duration::ZERO);
    let mut lock = locked(model, &rotated).await.lock;
    let result = storage.rotate(&mut lock, &moved, second, Duration::ZERO).await;
    observed(kind(result), Some(rotated), Duration::ZERO);
    let lock = locked(model, &released).await.lock;
    let result = storage.release(lock).await;
    observed(kind(result), Some(released), Duration::ZERO);
    let lock = locked(model, &released).await.lock;
    let result = storage.renew(&lock.id()).await;
    observed(kind(result), Some(released), Duration::ZERO);
    let result = storage.touch(&released, 1, None, now).await;
    observed(kind(result), Some(released), Duration::ZERO);
    let result = storage.destroy(&destroyed).await;
    observed(kind(result), Some(destroyed), Duration::ZERO);
    let result = storage.scan(None, 1).await;
    observed(kind(result), None, Duration::ZERO);
    let result = storage.sweep(1).await;
    observed(kind(result), None, Duration::ZERO);
    assert_eq!(expected.next(), None, "an operation was not called");
    results
}

#[tokio::test(start_paused = true)]
async fn each_operation_passes_through_once_by_its_name() {
    let model = ModelStorage::new().with_lease(HOUR);
    let (storage, calls) = Observer::new(model.clone(), false);
    let results = call_each(&storage, &calls, &model, 1).await;
    assert_eq!(results, [None; Operation::ALL.len()]);
    let outcomes = storage.outcomes.into_inner().unwrap();
    let (ok, found) = ("ok", "found");
    assert_eq!(outcomes, [found, found, ok, ok, ok, ok, ok, ok, ok, found, ok, ok]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_run_does_not_reach_the_storage() {
    let model = ModelStorage::new().with_lease(HOUR);
    let (storage, calls) = Observer::new(model.clone(), true);
    let results = call_each(&storage, &calls, &model, 0).await;
    assert_eq!(results, [Some(StorageErrorKind::Denied); Operation::ALL.len()]);
}

/// The lock is dropped with the call, so it is released.
#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_run_leaves_no_lock_behind() {
    let model = ModelStorage::new().with_lease(HOUR);
    let (storage, _) = Observer::new(model.clone(), true);
    let key = created(&model, "0").await;
    let lock = locked(&model, &key).await.lock;
    assert_eq!(kind(storage.release(lock).await), Some(StorageErrorKind::Denied));
    assert_free(&model, &key, "0").await;
}

/// A wrapper drains the storage beneath without a call that it could refuse.
#[tokio::test(start_paused = true)]
async fn drain_reaches_the_storage() {
    let model = ModelStorage::new().with_lease(HOUR);
    let (storage, calls) = Observer::new(model.clone(), true);
    let key = created(&model, "0").await;
    let lock = locked(&model, &key).await.lock;
    storage.drain(Duration::ZERO).await;
    assert_eq!(kind(model.renew(&lock.id()).await), Some(StorageErrorKind::LockLost));
    assert!(storage.take().is_empty());
    calls.assert_none();
}

/// The future of the wrapper and that of the storage.
#[test]
fn a_call_costs_one_allocation_per_wrapper() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let [key] = keys();
    let count = |storage: &dyn Storage| {
        let measured = allocation_counter::measure(|| {
            runtime.block_on(storage.read(&key)).unwrap();
        });
        measured.count_total
    };
    let null = count(&sessile_core::NullStorage);
    assert_eq!(count(&Counting::new(sessile_core::NullStorage)), null + 1);
    let twice = Counting::new(Counting::new(sessile_core::NullStorage));
    assert_eq!(count(&twice), null + 2);
}
