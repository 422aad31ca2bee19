//! Watching: hints come after each change of a session, and who is woken finds the new state.

use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Stored, Watch};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::kit::{Context, Sweep, successor};

/// The number of watches of the cases with many.
const MANY: usize = 2_000;

/// The time for a hint: this many pauses, each as long as a thread sleeps. They are real, whatever the clock of the
/// case is, because a hint can come from the operating system or from a server.
const PAUSES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// Watches a key, unless the storage does not have the capability. Then its profile must not name it.
fn watch(ctx: &Context, key: &SessionKey) -> Option<Watch> {
    let watched = ctx.storage().capabilities().watch();
    assert_eq!(
        watched.is_some(),
        ctx.profile().watch,
        "whether the storage can be watched is not as its profile says"
    );
    watched.map(|watched| watched.watch(key))
}

/// Lets real time pass, and then that of tokio: while it is paused, it stands still as long as a thread is waited for.
async fn pause() {
    let slept = spawn_blocking(|| std::thread::sleep(PAUSE)).await;
    slept.unwrap_or_default();
    tokio::time::sleep(PAUSE).await;
}

async fn hint(watch: &mut Watch) {
    for _ in 0..PAUSES {
        tokio::select! {
            biased;
            () = watch.changed() => return,
            () = pause() => {}
        }
    }
    panic!("no hint came");
}

/// A task that watches, reads, and waits for hints until it reads what it expects.
struct Reader(Option<JoinHandle<()>>);

impl Reader {
    /// Starts it. When the call returns, it has read once and found something else.
    async fn start(
        ctx: &Context,
        key: &SessionKey,
        expects: impl Fn(&Lookup<Stored>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let Some(mut watch) = watch(ctx, key) else {
            return Self(None);
        };
        let (ctx, key, (ready, is_ready)) = (ctx.clone(), *key, oneshot::channel());
        let task = tokio::spawn(async move {
            let mut ready = Some(ready);
            while !expects(&ctx.read(&key).await) {
                ready
                    .take()
                    .into_iter()
                    .for_each(|ready| ready.send(()).unwrap_or_default());
                hint(&mut watch).await;
            }
        });
        is_ready.await.unwrap_or_default();
        Self(Some(task))
    }

    /// Starts one that waits for this payload.
    async fn of(ctx: &Context, key: &SessionKey, payload: &'static str) -> Self {
        Self::start(
            ctx,
            key,
            move |found| matches!(found, Lookup::Found(stored) if stored.record.payload == payload),
        )
        .await
    }

    async fn end(self, what: &str) {
        if let Some(task) = self.0
            && let Err(error) = task.await
        {
            let panic = error.into_panic();
            let why = panic.downcast_ref::<&str>().copied().unwrap_or("it has failed");
            panic!("a reader that watches a session has not seen {what}: {why}");
        }
    }
}

pub(crate) async fn wakes_after_every_write(ctx: Context) {
    let key = Context::key();
    let reader = Reader::of(&ctx, &key, "created").await;
    ctx.create(&key, ctx.record("created")).await;
    reader.end("a new session").await;

    let reader = Reader::of(&ctx, &key, "committed").await;
    let mut locked = ctx.lock(&key).await;
    ctx.commit(&mut locked, "committed").await;
    reader.end("a commit").await;

    let reader = Reader::of(&ctx, &key, "replaced").await;
    let Lookup::Found(known) = ctx.read(&key).await else {
        panic!("the session is gone")
    };
    let replaced = ctx
        .storage()
        .replace(&known, successor(&known.record, "replaced"))
        .await;
    assert!(matches!(replaced, Ok(true)), "a replace returned {replaced:?}");
    reader.end("a replace").await;
}

pub(crate) async fn wakes_after_a_move_under_both_keys(ctx: Context) {
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moves")).await;
    let leaves = Reader::start(&ctx, &old, |found| matches!(found, Lookup::Superseded)).await;
    let arrives = Reader::of(&ctx, &new, "moves").await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    leaves.end("a session leave its key").await;
    arrives.end("a session under its new key").await;
}

pub(crate) async fn wakes_after_an_end(ctx: Context) {
    let is_missing = |found: &Lookup<Stored>| matches!(found, Lookup::Missing);
    let key = ctx.created("ends").await;
    let reader = Reader::start(&ctx, &key, is_missing).await;
    ctx.destroy(&key).await;
    reader.end("the end of a session").await;

    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moves")).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    let reader = Reader::start(&ctx, &new, is_missing).await;
    ctx.destroy(&old).await;
    reader.end("the end of a session by its old key").await;
}

pub(crate) async fn wakes_after_a_sweep(ctx: Context) {
    if ctx.profile().sweep != Sweep::Returns {
        return;
    }
    let key = Context::key();
    let deadline = ctx.now() + Duration::from_secs(2);
    ctx.create(&key, ctx.record_until(deadline, "expires")).await;
    let Some(mut watch) = watch(&ctx, &key) else { return };
    ctx.until(deadline).await;
    let swept = ctx.storage().sweep(10).await;
    assert!(swept.is_ok(), "a sweep returned {swept:?}");
    hint(&mut watch).await;
}

pub(crate) async fn wakes_after_what_another_handle_does(ctx: Context) {
    let key = ctx.created("before").await;
    let reader = Reader::of(&ctx, &key, "after").await;
    let second = ctx.second();
    let Ok(Lookup::Found(known)) = second.read(&key).await else {
        panic!("the session is gone")
    };
    let replaced = second.replace(&known, successor(&known.record, "after")).await;
    assert!(matches!(replaced, Ok(true)), "a replace returned {replaced:?}");
    reader.end("a write by another handle").await;

    let reader = Reader::start(&ctx, &key, |found| matches!(found, Lookup::Missing)).await;
    let ended = second.destroy(&key).await;
    assert!(matches!(ended, Ok(Lookup::Found(()))), "destroy returned {ended:?}");
    reader.end("an end by another handle").await;
}

pub(crate) async fn of_many_sessions_wakes_each(ctx: Context) {
    let mut watches = Vec::new();
    for _ in 0..MANY {
        let Some(watch) = watch(&ctx, &Context::key()) else {
            return;
        };
        watches.push(watch);
    }
    for index in [0, MANY / 2, MANY - 1] {
        let key = *watches[index].key();
        ctx.create(&key, ctx.record("one of many")).await;
        hint(&mut watches[index]).await;
    }
}

pub(crate) async fn of_one_session_wakes_all_tasks(ctx: Context) {
    let key = ctx.created("before").await;
    let mut readers = Vec::new();
    for _ in 0..50 {
        readers.push(Reader::of(&ctx, &key, "after").await);
    }
    let mut locked = ctx.lock(&key).await;
    ctx.commit(&mut locked, "after").await;
    for reader in readers {
        reader.end("the write that many watch").await;
    }
}
