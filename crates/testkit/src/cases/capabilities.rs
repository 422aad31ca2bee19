//! Capabilities: the storage has those that the profile names, through any wrapper.

use std::time::Duration;

use sessile_core::{ReportUsage, Usage};

use crate::kit::Context;

async fn now(reporter: &dyn ReportUsage) -> Usage {
    let usage = reporter.usage().await;
    usage.unwrap_or_else(|error| panic!("usage failed: {error:?}"))
}

pub(crate) async fn are_those_the_profile_names(ctx: Context) {
    for storage in [ctx.storage(), ctx.second()] {
        for _ in 0..2 {
            let offered = storage.capabilities().usage().is_some();
            assert_eq!(
                offered,
                ctx.profile().usage,
                "whether the storage says how much it holds is not as its profile says"
            );
            let offered = storage.capabilities().watch().is_some();
            assert_eq!(
                offered,
                ctx.profile().watch,
                "whether the storage can be watched is not as its profile says"
            );
        }
    }
}

pub(crate) async fn usage_follows_what_is_stored(ctx: Context) {
    let Some(reporter) = ctx.storage().capabilities().usage() else {
        assert!(!ctx.profile().usage, "the storage does not say how much it holds");
        return;
    };
    let empty = now(reporter).await;
    assert_eq!(empty.entries, 0, "there is something in an empty storage");
    let key = ctx.created(vec![b'x'; 10_000]).await;
    let one = now(reporter).await;
    assert_eq!(one.entries, 1);
    assert!(
        one.bytes >= empty.bytes + 10_000,
        "a session takes at least its payload: {one:?} after {empty:?}"
    );
    let mut locked = ctx.lock(&key).await;
    ctx.commit(&mut locked, vec![b'x'; 100_000]).await;
    let grown = now(reporter).await;
    assert_eq!(grown.entries, 1, "a commit adds no session");
    assert!(grown.bytes >= one.bytes + 90_000, "{grown:?} after {one:?}");
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moves")).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, Duration::ZERO).await;
    assert_eq!(
        now(reporter).await.entries,
        3,
        "two sessions, and the key that one has moved away from"
    );
    for key in [&key, &new] {
        ctx.destroy(key).await;
    }
    let left = now(reporter).await;
    assert_eq!(left.entries, 1, "what is destroyed takes no room");
    assert!(left.bytes < one.bytes, "{left:?} after {one:?}");
}
