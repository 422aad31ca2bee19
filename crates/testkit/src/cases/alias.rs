//! Aliases: during its grace, every operation follows the old key to the new one.

use std::time::Duration;

use sessile_core::{Lookup, MAX_ALIASES, SessionKey, StorageErrorKind};

use crate::cases::rotate::aliases_are_refused;
use crate::kit::{Context, refused, successor};

const LONG: Duration = Duration::from_secs(600);

/// Creates a session and rotates it through all keys, so that all but the last are aliases.
pub(crate) async fn chain<const N: usize>(ctx: &Context) -> [SessionKey; N] {
    let keys: [_; N] = Context::keys();
    ctx.create(&keys[0], ctx.record("moved")).await;
    for step in keys.windows(2) {
        let mut locked = ctx.lock(&step[0]).await;
        ctx.rotate(&mut locked, &step[1], LONG).await;
    }
    keys
}

/// Reads, locks, commits, renews, releases and touches through a key that leads to another.
async fn is_followed(ctx: &Context, alias: &SessionKey, actual: &SessionKey) {
    let read = ctx.read(alias).await.found().expect("an alias leads to the session");
    assert_eq!(read.key, *actual, "the key the record was found under is the new one");
    assert_eq!(read.record, ctx.found(actual).await);

    let mut locked = ctx.lock(alias).await;
    assert_eq!(
        locked.lock.key(),
        actual,
        "the lock is on the key the session has moved to"
    );
    ctx.assert_held(actual).await;
    ctx.assert_held(alias).await;
    ctx.storage()
        .renew(&locked.lock.id())
        .await
        .expect("renew of a lock taken through an alias");
    ctx.commit(&mut locked, "written through an alias").await;
    assert_eq!(ctx.found(actual).await.payload, "written through an alias");
    let locked = ctx.lock(alias).await;
    ctx.release(locked.lock).await;
    ctx.assert_free(actual, b"written through an alias").await;

    let meta = ctx.found(actual).await.meta;
    let later = meta.deadline.expect("a deadline") + LONG;
    ctx.touch(alias, meta.version, Some(later), ctx.now()).await;
    assert_eq!(
        ctx.found(actual).await.meta.deadline,
        Some(later),
        "touch through an alias"
    );
}

pub(crate) async fn is_followed_by_every_operation(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [old, new] = chain(&ctx).await;
    is_followed(&ctx, &old, &new).await;
}

pub(crate) async fn of_an_alias_is_followed_to_the_end(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [first, second, third, last] = chain(&ctx).await;
    for alias in [first, second, third] {
        is_followed(&ctx, &alias, &last).await;
    }
}

pub(crate) async fn destroy_through_it_ends_the_session(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let keys: [_; 3] = chain(&ctx).await;
    assert_eq!(ctx.destroy(&keys[0]).await, Lookup::Found(()));
    ctx.assert_missing(&keys[2]).await;
    for alias in &keys[..2] {
        ctx.assert_superseded(alias).await;
        assert_eq!(ctx.destroy(alias).await, Lookup::Superseded);
    }
    assert_eq!(ctx.destroy(&keys[2]).await, Lookup::Missing);
}

/// After its grace an alias is a tombstone, and `destroy` follows it as one.
pub(crate) async fn destroy_through_it_works_when_its_grace_is_over(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let grace = Duration::from_millis(400);
    let [first, second, third] = Context::keys();
    ctx.create(&first, ctx.record("moved")).await;
    let mut locked = ctx.lock(&first).await;
    ctx.rotate(&mut locked, &second, grace).await;
    let mut locked = ctx.lock(&second).await;
    ctx.rotate(&mut locked, &third, grace).await;
    ctx.pass_surely(grace).await;
    ctx.assert_superseded(&first).await;
    assert_eq!(ctx.destroy(&first).await, Lookup::Found(()));
    ctx.assert_missing(&third).await;
    for alias in [first, second] {
        ctx.assert_superseded(&alias).await;
        assert_eq!(ctx.destroy(&alias).await, Lookup::Superseded);
    }
}

/// The session moves more often within the grace than other operations follow, and is then destroyed by its first key.
pub(crate) async fn destroy_through_more_than_are_followed_ends_the_session(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    // 17 rotations exceed the limit of other operations by one. The multiple shows that no higher limit exists.
    ends_through::<{ MAX_ALIASES + 2 }>(&ctx).await;
    ends_through::<{ 4 * MAX_ALIASES + 2 }>(&ctx).await;
}

async fn ends_through<const N: usize>(ctx: &Context) {
    let keys: [_; N] = chain(ctx).await;
    let (first, last) = (&keys[0], &keys[N - 1]);
    ctx.assert_superseded(first).await;
    ctx.assert_free(last, b"moved").await;
    assert_eq!(ctx.destroy(first).await, Lookup::Found(()), "after {} moves", N - 1);
    ctx.assert_missing(last).await;
    assert_eq!(ctx.destroy(first).await, Lookup::Superseded);
}

/// Beyond the limit of aliases no operation finds the session, and `destroy` still ends it.
pub(crate) async fn is_followed_up_to_the_limit(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let keys: [_; MAX_ALIASES + 2] = chain(&ctx).await;
    let [too_far, farthest, .., last] = keys;
    is_followed(&ctx, &farthest, &last).await;

    ctx.assert_superseded(&too_far).await;
    let lock = ctx.storage().lock(&too_far, Duration::ZERO).await;
    assert!(
        matches!(lock, Ok(Lookup::Superseded)),
        "lock through more aliases than are followed returned {lock:?}"
    );
    let version = ctx.found(&last).await.meta.version;
    let result = ctx.storage().touch(&too_far, version, None, ctx.now()).await;
    refused(
        result,
        StorageErrorKind::Superseded,
        "touch through more aliases than are followed",
    );
    let result = ctx.storage().create(&too_far, ctx.record("again")).await;
    refused(result, StorageErrorKind::Exists, "create under an alias");

    assert_eq!(ctx.destroy(&too_far).await, Lookup::Found(()));
    ctx.assert_missing(&last).await;
    assert_eq!(ctx.destroy(&too_far).await, Lookup::Superseded);
}

/// An alias of an ended session gives the same result as every key that a session has left.
pub(crate) async fn of_what_was_destroyed_is_superseded(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let keys: [_; 3] = chain(&ctx).await;
    assert_eq!(ctx.destroy(&keys[2]).await, Lookup::Found(()));
    ctx.assert_missing(&keys[2]).await;
    for alias in &keys[..2] {
        ctx.assert_superseded(alias).await;
        let lock = ctx.storage().lock(alias, Duration::ZERO).await;
        assert!(
            matches!(lock, Ok(Lookup::Superseded)),
            "lock of a session that is gone returned {lock:?}"
        );
        let result = ctx.storage().touch(alias, 3, None, ctx.now()).await;
        refused(result, StorageErrorKind::Superseded, "touch of a session that is gone");
        let again = ctx.storage().create(alias, ctx.record("again")).await;
        refused(
            again,
            StorageErrorKind::Exists,
            "create under the alias of what is gone",
        );
    }
}

pub(crate) async fn of_what_has_expired_is_superseded(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let mut record = successor(&locked.record, "short");
    record.meta.deadline = Some(ctx.now() + Duration::from_millis(400));
    ctx.storage()
        .rotate(&mut locked.lock, &new, record, LONG)
        .await
        .expect("rotate");
    assert!(ctx.read(&old).await.is_found(), "an alias leads to the session");
    ctx.pass_surely(Duration::from_millis(400)).await;
    ctx.assert_missing(&new).await;
    ctx.assert_superseded(&old).await;
}

pub(crate) async fn becomes_a_tombstone_and_then_nothing(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [old, new] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut locked = ctx.lock(&old).await;
    let grace = Duration::from_millis(800);
    let grace_ends = ctx.now() + grace;
    let tombstone_ends = grace_ends + ctx.profile().tombstone;
    ctx.rotate(&mut locked, &new, grace).await;
    ctx.pass(grace / 2).await;
    assert!(
        ctx.read(&old).await.is_found() || ctx.is_late(grace_ends),
        "during its grace the old key is an alias"
    );
    ctx.pass_surely(grace / 2).await;
    ctx.assert_superseded_until(tombstone_ends, &old).await;
    ctx.pass(ctx.profile().tombstone / 2).await;
    ctx.assert_superseded_until(tombstone_ends, &old).await;
    ctx.pass_surely(ctx.profile().tombstone / 2).await;
    ctx.assert_missing(&old).await;
    ctx.assert_free(&new, b"moved").await;
}

/// An alias leads to the previous key of the session. A tombstone there is the result.
pub(crate) async fn of_a_tombstone_is_superseded(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [first, second, third] = Context::keys();
    ctx.create(&first, ctx.record("moved")).await;
    let mut locked = ctx.lock(&first).await;
    ctx.rotate(&mut locked, &second, LONG).await;
    let mut locked = ctx.lock(&second).await;
    ctx.rotate(&mut locked, &third, Duration::ZERO).await;
    ctx.assert_superseded(&first).await;
    ctx.assert_superseded(&second).await;
    ctx.assert_free(&third, b"moved").await;
}

/// A lock belongs to the key under which it was taken. A session that moves leaves the lock behind.
pub(crate) async fn is_no_way_in_for_a_late_holder(ctx: Context) {
    if !ctx.profile().aliases {
        return aliases_are_refused(&ctx).await;
    }
    let [old, new, third] = Context::keys();
    ctx.create(&old, ctx.record("moved")).await;
    let mut late = ctx.lock(&old).await;
    ctx.pass_surely(late.lock.lease()).await;
    let mut locked = ctx.lock(&old).await;
    ctx.rotate(&mut locked, &new, LONG).await;
    let record = successor(&late.record, "late");
    let results = [
        ctx.storage().commit(&mut late.lock, record.clone()).await,
        ctx.storage()
            .rotate(&mut late.lock, &third, record, Duration::ZERO)
            .await,
        ctx.storage().renew(&late.lock.id()).await,
    ];
    for result in results {
        refused(result, StorageErrorKind::LockLost, "a late holder");
    }
    ctx.assert_missing(&third).await;
    ctx.release(late.lock).await;
    ctx.assert_free(&new, b"moved").await;
}
