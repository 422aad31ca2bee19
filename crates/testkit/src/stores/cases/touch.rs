//! `touch`: another head, and the same payload.

use std::time::Duration;

use sessile_core::Entry;

use super::conditions::{self, Conditional};
use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, applied};

pub(crate) async fn changes_the_head_and_nothing_else(ctx: StoreContext) {
    for payload in ["payload", ""] {
        let stands = StoreContext::entry(payload);
        let key = ctx.inserted(&stands).await;
        let touched = Entry::new(StoreContext::head(Some(FUTURE)), payload);
        let result = ctx.store().touch(&key, stands.head.version, touched.head.clone()).await;
        applied(result, "touch of the version that stands");
        ctx.assert_stands(&key, &touched, "after touch").await;
        // The entry has another version from now on.
        let next = StoreContext::entry("next");
        let result = ctx.store().replace(&key, touched.head.version, next.clone()).await;
        applied(result, "replace of the version that touch has given");
        ctx.assert_stands(&key, &next, "after replace").await;
    }
}

/// The head is stored as given. Callers decide whether a deadline may move back.
pub(crate) async fn moves_the_deadline_either_way(ctx: StoreContext) {
    let mut stands = StoreContext::entry("payload");
    let key = ctx.inserted(&stands).await;
    let deadlines = [Some(FUTURE + Duration::from_secs(1)), Some(FUTURE), None, Some(FUTURE)];
    for deadline in deadlines {
        let next = Entry::new(StoreContext::head(deadline), stands.payload.clone());
        let result = ctx.second().touch(&key, stands.head.version, next.head.clone()).await;
        applied(result, "touch of the version that stands");
        ctx.assert_stands(&key, &next, "after touch").await;
        stands = next;
    }
}

pub(crate) async fn of_another_version_does_nothing(ctx: StoreContext) {
    conditions::another_version(&ctx, Conditional::Touch).await;
}

pub(crate) async fn of_an_earlier_version_does_nothing(ctx: StoreContext) {
    conditions::earlier_version(&ctx, Conditional::Touch).await;
}

pub(crate) async fn of_what_came_back_does_nothing(ctx: StoreContext) {
    conditions::came_back(&ctx, Conditional::Touch).await;
}

pub(crate) async fn of_nothing_creates_nothing(ctx: StoreContext) {
    conditions::nothing(&ctx, Conditional::Touch).await;
}

pub(crate) async fn of_an_expired_entry_is_applied(ctx: StoreContext) {
    conditions::expired(&ctx, Conditional::Touch).await;
}
