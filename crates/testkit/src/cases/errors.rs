//! Errors: they name the operation and the storage, and say whether to retry.

use std::time::Duration;

use sessile_core::{StorageError, StorageErrorKind};

use crate::Operation;
use crate::kit::{Context, forged};

fn names(ctx: &Context, error: &StorageError, operation: Operation, kind: StorageErrorKind) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(
        error.operation(),
        operation.name(),
        "an error names the operation that failed: {error:?}"
    );
    assert_eq!(
        error.storage(),
        ctx.storage().name(),
        "an error names its storage: {error:?}"
    );
}

pub(crate) async fn name_the_operation_and_the_storage(ctx: Context) {
    assert!(!ctx.storage().name().is_empty(), "a storage has a name");
    let storage = ctx.storage();
    let [key, unknown] = Context::keys();
    ctx.create(&key, ctx.record("x")).await;
    let record = ctx.record("y");

    let error = storage
        .create(&key, record.clone())
        .await
        .expect_err("the key is taken");
    names(&ctx, &error, Operation::Create, StorageErrorKind::Exists);
    let held = ctx.lock(&key).await;
    let error = storage.lock(&key, Duration::ZERO).await.expect_err("the lock is held");
    names(&ctx, &error, Operation::Lock, StorageErrorKind::LockTimeout);
    assert!(error.is_retryable());
    let error = storage
        .commit(&mut forged(key), record.clone())
        .await
        .expect_err("not the holder");
    names(&ctx, &error, Operation::Commit, StorageErrorKind::LockLost);
    let error = storage.rotate(&mut forged(key), &unknown, record, Duration::ZERO).await;
    names(
        &ctx,
        &error.expect_err("not the holder"),
        Operation::Rotate,
        StorageErrorKind::LockLost,
    );
    let error = storage.renew(&forged(key).id()).await.expect_err("not the holder");
    names(&ctx, &error, Operation::Renew, StorageErrorKind::LockLost);
    let error = storage
        .touch(&unknown, 1, None, ctx.now())
        .await
        .expect_err("nothing to touch");
    names(&ctx, &error, Operation::Touch, StorageErrorKind::Gone);
    assert!(!error.is_retryable());
    ctx.release(held.lock).await;
}
