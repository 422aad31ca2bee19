//! `remove`: one version, and none that came later.

use super::conditions::{self, Conditional};
use crate::stores::StoreContext;
use crate::stores::context::{applied, refused};

pub(crate) async fn takes_the_entry_away(ctx: StoreContext) {
    let (stands, other) = (StoreContext::entry("stands"), StoreContext::entry("other"));
    let [key, neighbour] = StoreContext::keys();
    ctx.insert(&key, &stands).await;
    ctx.insert(&neighbour, &other).await;
    applied(
        ctx.store().remove(&key, stands.head.version).await,
        "remove of the version that stands",
    );
    ctx.assert_nothing(&key, "after remove").await;
    refused(
        ctx.second().remove(&key, stands.head.version).await,
        "remove of what was removed",
    );
    ctx.assert_stands(&neighbour, &other, "after another key was removed")
        .await;
}

pub(crate) async fn of_another_version_does_nothing(ctx: StoreContext) {
    conditions::another_version(&ctx, Conditional::Remove).await;
}

pub(crate) async fn of_an_earlier_version_does_nothing(ctx: StoreContext) {
    conditions::earlier_version(&ctx, Conditional::Remove).await;
}

pub(crate) async fn of_what_came_back_does_nothing(ctx: StoreContext) {
    conditions::came_back(&ctx, Conditional::Remove).await;
}

pub(crate) async fn of_nothing_is_not_applied(ctx: StoreContext) {
    conditions::nothing(&ctx, Conditional::Remove).await;
}

pub(crate) async fn of_an_expired_entry_is_applied(ctx: StoreContext) {
    conditions::expired(&ctx, Conditional::Remove).await;
}
