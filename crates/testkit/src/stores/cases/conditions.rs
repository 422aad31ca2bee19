//! Cases that all operations with a version share.

use sessile_core::{Applied, Entry, EntryVersion, RecordStore, SessionKey, StorageError};

use crate::stores::StoreContext;
use crate::stores::context::{PAST, applied, refused};

/// An operation on one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conditional {
    Replace,
    Touch,
    Rename,
    Remove,
}

impl Conditional {
    pub(super) const ALL: [Self; 4] = [Self::Replace, Self::Touch, Self::Rename, Self::Remove];

    /// Calls the operation. `to` is the target of a rename.
    pub(super) async fn call(
        self,
        store: &dyn RecordStore,
        key: &SessionKey,
        version: EntryVersion,
        new: Entry,
        to: &SessionKey,
    ) -> Result<Applied, StorageError> {
        match self {
            Self::Replace => store.replace(key, version, new).await,
            Self::Touch => store.touch(key, version, new.head).await,
            Self::Rename => {
                let left = StoreContext::entry("left");
                store.rename(key, version, Some(left), to, new).await
            }
            Self::Remove => store.remove(key, version).await,
        }
    }

    /// Returns whether the store supports the operation.
    async fn is_there(self, ctx: &StoreContext) -> bool {
        self != Self::Rename || ctx.renames().await
    }

    /// Calls the operation with a version that is not stored, which must do nothing.
    async fn refuse(self, ctx: &StoreContext, key: &SessionKey, version: EntryVersion, what: &str) {
        let to = StoreContext::key();
        let result = self
            .call(&**ctx.store(), key, version, StoreContext::entry("new"), &to)
            .await;
        refused(result, &format!("{self:?} of {what}"));
        ctx.assert_nothing(&to, &format!("after {self:?} of {what}")).await;
    }
}

pub(super) async fn another_version(ctx: &StoreContext, operation: Conditional) {
    if !operation.is_there(ctx).await {
        return;
    }
    let stands = StoreContext::entry("stands");
    let key = ctx.inserted(&stands).await;
    let own = stands.head.version.as_u64();
    // The version of another entry, versions that differ in one bit, and the smallest and the largest.
    let elsewhere = StoreContext::entry("elsewhere");
    ctx.inserted(&elsewhere).await;
    let foreign = elsewhere.head.version.as_u64();
    for other in [
        foreign,
        own ^ 1,
        own ^ (1 << 31),
        own ^ (1 << 32),
        own ^ (1 << 62),
        0,
        u64::MAX >> 1,
    ] {
        operation
            .refuse(ctx, &key, EntryVersion::from_u64(other), "another version")
            .await;
        let when = format!("after {operation:?} of another version");
        ctx.assert_stands(&key, &stands, &when).await;
    }
}

/// Uses versions from before each write that keeps the key.
pub(super) async fn earlier_version(ctx: &StoreContext, operation: Conditional) {
    if !operation.is_there(ctx).await {
        return;
    }
    let first = StoreContext::entry("first");
    let key = ctx.inserted(&first).await;
    let second = StoreContext::entry("second");
    applied(
        ctx.store().replace(&key, first.head.version, second.clone()).await,
        "replace",
    );
    let mut third = second.clone();
    third.head = StoreContext::head(None);
    applied(
        ctx.second().touch(&key, second.head.version, third.head.clone()).await,
        "touch",
    );
    for stale in [&first, &second] {
        operation
            .refuse(ctx, &key, stale.head.version, "an earlier version")
            .await;
        let when = format!("after {operation:?} of an earlier version");
        ctx.assert_stands(&key, &third, &when).await;
    }
}

/// Uses the version of an entry that another has replaced under the same key.
pub(super) async fn came_back(ctx: &StoreContext, operation: Conditional) {
    if !operation.is_there(ctx).await {
        return;
    }
    let (first, again) = (StoreContext::entry("same"), StoreContext::entry("same"));
    let key = ctx.inserted(&first).await;
    applied(ctx.store().remove(&key, first.head.version).await, "remove");
    ctx.insert(&key, &again).await;
    operation
        .refuse(ctx, &key, first.head.version, "the version before it was removed")
        .await;
    let when = format!("after {operation:?} of a version that was removed");
    ctx.assert_stands(&key, &again, &when).await;
}

pub(super) async fn nothing(ctx: &StoreContext, operation: Conditional) {
    if !operation.is_there(ctx).await {
        return;
    }
    let (never, gone) = (StoreContext::key(), StoreContext::entry("gone"));
    let removed = ctx.inserted(&gone).await;
    applied(ctx.store().remove(&removed, gone.head.version).await, "remove");
    for key in [never, removed] {
        for version in [gone.head.version, EntryVersion::from_u64(0)] {
            operation.refuse(ctx, &key, version, "a key without an entry").await;
            let when = format!("after {operation:?} of a key without an entry");
            ctx.assert_nothing(&key, &when).await;
        }
    }
}

/// The operations ignore the deadline.
pub(super) async fn expired(ctx: &StoreContext, operation: Conditional) {
    if !operation.is_there(ctx).await || !ctx.subject().keeps_expired {
        return;
    }
    let stands = StoreContext::entry_until(Some(PAST), "expired");
    let key = ctx.inserted(&stands).await;
    let (new, to) = (StoreContext::entry("new"), StoreContext::key());
    let result = operation
        .call(&**ctx.store(), &key, stands.head.version, new.clone(), &to)
        .await;
    applied(result, &format!("{operation:?} of an entry that has expired"));
    let when = format!("after {operation:?} of an entry that has expired");
    match operation {
        Conditional::Replace => ctx.assert_stands(&key, &new, &when).await,
        Conditional::Touch => {
            let touched = Entry::new(new.head, stands.payload);
            ctx.assert_stands(&key, &touched, &when).await;
        }
        Conditional::Rename => ctx.assert_stands(&to, &new, &when).await,
        Conditional::Remove => ctx.assert_nothing(&key, &when).await,
    }
}
