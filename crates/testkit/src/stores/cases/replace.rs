//! `replace`: the whole entry, if it has the expected version.

use super::conditions::{self, Conditional};
use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, applied};

pub(crate) async fn puts_the_whole_entry(ctx: StoreContext) {
    let mut stands = StoreContext::entry("first");
    let key = ctx.inserted(&stands).await;
    let entries = [
        StoreContext::entry_until(None, "without a deadline"),
        StoreContext::entry_until(Some(FUTURE), ""),
        StoreContext::entry_until(Some(FUTURE + std::time::Duration::from_secs(1)), "longer to live"),
        StoreContext::entry_until(Some(FUTURE), "shorter to live"),
    ];
    for (number, next) in entries.into_iter().enumerate() {
        let replaced = ctx
            .handle(number)
            .replace(&key, stands.head.version, next.clone())
            .await;
        applied(replaced, "replace of the version that stands");
        ctx.assert_stands(&key, &next, "after replace").await;
        stands = next;
    }
}

pub(crate) async fn of_another_version_does_nothing(ctx: StoreContext) {
    conditions::another_version(&ctx, Conditional::Replace).await;
}

pub(crate) async fn of_an_earlier_version_does_nothing(ctx: StoreContext) {
    conditions::earlier_version(&ctx, Conditional::Replace).await;
}

pub(crate) async fn of_what_came_back_does_nothing(ctx: StoreContext) {
    conditions::came_back(&ctx, Conditional::Replace).await;
}

pub(crate) async fn of_nothing_creates_nothing(ctx: StoreContext) {
    conditions::nothing(&ctx, Conditional::Replace).await;
}

pub(crate) async fn of_an_expired_entry_is_applied(ctx: StoreContext) {
    conditions::expired(&ctx, Conditional::Replace).await;
}
