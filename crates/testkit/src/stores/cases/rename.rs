//! `rename`: two keys in one step.

use super::conditions::{self, Conditional};
use crate::stores::StoreContext;
use crate::stores::context::{PAST, applied, refused};

pub(crate) async fn moves_and_leaves_nothing(ctx: StoreContext) {
    moves(&ctx, false).await;
}

pub(crate) async fn moves_and_leaves_an_entry(ctx: StoreContext) {
    moves(&ctx, true).await;
}

async fn moves(ctx: &StoreContext, leaves: bool) {
    if !ctx.renames().await {
        return;
    }
    let stands = StoreContext::entry("old");
    let [from, to] = StoreContext::keys();
    ctx.insert(&from, &stands).await;
    let new = StoreContext::entry_until(None, "new");
    let left = leaves.then(|| StoreContext::entry(""));
    let renamed = ctx
        .store()
        .rename(&from, stands.head.version, left.clone(), &to, new.clone())
        .await;
    applied(renamed, "rename of the version that stands");
    ctx.assert_stands(&to, &new, "after rename").await;
    match left {
        Some(left) => ctx.assert_stands(&from, &left, "after rename").await,
        None => ctx.assert_nothing(&from, "after rename").await,
    }
}

pub(crate) async fn to_a_key_that_is_taken_does_nothing(ctx: StoreContext) {
    if !ctx.renames().await {
        return;
    }
    let mut deadlines = vec![None];
    if ctx.subject().keeps_expired {
        // Expired entries are stored like others.
        deadlines.push(Some(PAST));
    }
    for deadline in deadlines {
        let stands = StoreContext::entry("old");
        let taken = StoreContext::entry_until(deadline, "taken");
        let [from, to] = StoreContext::keys();
        ctx.insert(&from, &stands).await;
        ctx.insert(&to, &taken).await;
        for left in [None, Some(StoreContext::entry(""))] {
            let new = StoreContext::entry("new");
            let renamed = ctx.store().rename(&from, stands.head.version, left, &to, new).await;
            refused(renamed, "rename to a key that is taken");
            ctx.assert_stands(&from, &stands, "after a rename that was not applied")
                .await;
            ctx.assert_stands(&to, &taken, "after a rename that was not applied")
                .await;
        }
    }
}

pub(crate) async fn to_itself_does_nothing(ctx: StoreContext) {
    if !ctx.renames().await {
        return;
    }
    let stands = StoreContext::entry("stands");
    let key = ctx.inserted(&stands).await;
    for left in [None, Some(StoreContext::entry(""))] {
        let new = StoreContext::entry("new");
        let renamed = ctx.store().rename(&key, stands.head.version, left, &key, new).await;
        refused(renamed, "rename to the same key, which is taken");
        ctx.assert_stands(&key, &stands, "after a rename to itself").await;
    }
}

pub(crate) async fn of_another_version_does_nothing(ctx: StoreContext) {
    conditions::another_version(&ctx, Conditional::Rename).await;
}

pub(crate) async fn of_an_earlier_version_does_nothing(ctx: StoreContext) {
    conditions::earlier_version(&ctx, Conditional::Rename).await;
}

pub(crate) async fn of_what_came_back_does_nothing(ctx: StoreContext) {
    conditions::came_back(&ctx, Conditional::Rename).await;
}

pub(crate) async fn of_nothing_creates_nothing(ctx: StoreContext) {
    conditions::nothing(&ctx, Conditional::Rename).await;
}

pub(crate) async fn of_an_expired_entry_is_applied(ctx: StoreContext) {
    conditions::expired(&ctx, Conditional::Rename).await;
}
