//! Errors: which verb of which storage, and whether to try again.

use std::time::Duration;

use sessile_core::{StorageError, StorageErrorKind};

use crate::Verb;
use crate::kit::{Context, forged};

fn names(ctx: &Context, error: &StorageError, verb: Verb, kind: StorageErrorKind) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(
        error.operation(),
        verb.name(),
        "an error names the verb that failed: {error:?}"
    );
    assert_eq!(
        error.storage(),
        ctx.storage().name(),
        "an error names its storage: {error:?}"
    );
}

pub(crate) async fn name_the_verb_and_the_storage(ctx: Context) {
    assert!(!ctx.storage().name().is_empty(), "a storage has a name");
    let storage = ctx.storage();
    let [key, unknown] = Context::keys();
    ctx.create(&key, ctx.record("x")).await;
    let record = ctx.record("y");

    let error = storage
        .create(&key, record.clone())
        .await
        .expect_err("the key is taken");
    names(&ctx, &error, Verb::Create, StorageErrorKind::Exists);
    let held = ctx.lock(&key).await;
    let error = storage.lock(&key, Duration::ZERO).await.expect_err("the lock is held");
    names(&ctx, &error, Verb::Lock, StorageErrorKind::LockTimeout);
    assert!(error.is_retryable());
    let error = storage
        .commit(&mut forged(key), record.clone())
        .await
        .expect_err("not the holder");
    names(&ctx, &error, Verb::Commit, StorageErrorKind::LockLost);
    let error = storage.rotate(&mut forged(key), &unknown, record, Duration::ZERO).await;
    names(
        &ctx,
        &error.expect_err("not the holder"),
        Verb::Rotate,
        StorageErrorKind::LockLost,
    );
    let error = storage.renew(&forged(key).ticket()).await.expect_err("not the holder");
    names(&ctx, &error, Verb::Renew, StorageErrorKind::LockLost);
    let error = storage
        .touch(&unknown, 1, None, ctx.now())
        .await
        .expect_err("nothing to touch");
    names(&ctx, &error, Verb::Touch, StorageErrorKind::Gone);
    assert!(!error.is_retryable());
    ctx.release(held.lock).await;
}
