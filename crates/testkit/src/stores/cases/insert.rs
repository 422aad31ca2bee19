//! `insert`: only under a free key.

use crate::stores::StoreContext;
use crate::stores::context::{PAST, applied, refused};

pub(crate) async fn refuses_a_key_that_is_taken(ctx: StoreContext) {
    let stands = StoreContext::entry("stands");
    let key = ctx.inserted(&stands).await;
    // The same entry is no exception: the caller must learn that the key was taken.
    for other in [StoreContext::entry("other"), stands.clone()] {
        refused(
            ctx.second().insert(&key, other).await,
            "insert under a key that is taken",
        );
        ctx.assert_stands(&key, &stands, "after an insert that was not applied")
            .await;
    }
}

pub(crate) async fn refuses_a_key_whose_entry_has_expired(ctx: StoreContext) {
    if !ctx.subject().keeps_expired {
        return;
    }
    let stands = StoreContext::entry_until(Some(PAST), "expired");
    let key = ctx.inserted(&stands).await;
    let result = ctx.store().insert(&key, StoreContext::entry("other")).await;
    refused(result, "insert under a key whose entry has expired");
    ctx.assert_stands(&key, &stands, "after an insert that was not applied")
        .await;
}

pub(crate) async fn puts_back_what_was_removed(ctx: StoreContext) {
    let key = StoreContext::key();
    for number in 0..3 {
        let entry = StoreContext::entry(format!("time {number}"));
        ctx.insert(&key, &entry).await;
        ctx.assert_stands(&key, &entry, "after insert").await;
        applied(ctx.store().remove(&key, entry.head.version).await, "remove");
        ctx.assert_nothing(&key, "after remove").await;
    }
}
