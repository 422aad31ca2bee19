//! Helpers of the cases that replace a record.

use sessile_core::{Lookup, Record, SessionKey, StorageError, Stored};

use crate::kit::{Context, successor};

/// Reads a live record, in the form that `replace` expects.
pub(super) async fn known(ctx: &Context, key: &SessionKey) -> Stored {
    match ctx.read(key).await {
        Lookup::Found(stored) => stored,
        other => panic!("a live session was expected, and read returned {other:?}"),
    }
}

/// Calls `replace`, which must return immediately, even if the session is locked.
pub(super) async fn replace(ctx: &Context, known: &Stored, record: Record) -> Result<bool, StorageError> {
    ctx.immediate("replace", ctx.storage().replace(known, record)).await
}

/// Replaces a record that no other call uses. A storage that cannot decide may return `false`, but not each time.
pub(super) async fn replaced(ctx: &Context, key: &SessionKey, next: impl Fn(&Record) -> Record) -> Record {
    for _ in 0..5 {
        let known = known(ctx, key).await;
        let record = next(&known.record);
        match replace(ctx, &known, record.clone()).await {
            Ok(true) => return record,
            Ok(false) => {}
            Err(error) => panic!("replace of a session without other users failed: {error:?}"),
        }
    }
    panic!("replace of a session without other users returned false each time")
}

/// Checks that the record is not replaced.
pub(super) async fn left_alone(ctx: &Context, known: &Stored, what: &str) {
    let result = replace(ctx, known, successor(&known.record, "replaced")).await;
    match result {
        Ok(false) => {}
        other => panic!("{what} must return false, and returned {other:?}"),
    }
}
