//! Entries are stored without loss.

use sessile_core::{Entry, EntryHead, EntryVersion, Timestamp};

use crate::stores::StoreContext;
use crate::stores::context::{FUTURE, PAST, applied};

/// Checks that an entry is unchanged after an insert, a replace and a touch.
async fn kept(ctx: &StoreContext, entry: &Entry) {
    let key = ctx.inserted(entry).await;
    ctx.assert_stands(&key, entry, "after insert").await;

    let other = StoreContext::entry("another");
    let key = ctx.inserted(&other).await;
    let replaced = ctx.store().replace(&key, other.head.version, entry.clone()).await;
    applied(replaced, "replace");
    ctx.assert_stands(&key, entry, "after replace").await;

    let other = Entry::new(StoreContext::head(None), entry.payload.clone());
    let key = ctx.inserted(&other).await;
    let touched = ctx.store().touch(&key, other.head.version, entry.head.clone()).await;
    applied(touched, "touch");
    ctx.assert_stands(&key, entry, "after touch").await;
}

async fn with_head(ctx: &StoreContext, head: EntryHead) {
    kept(ctx, &Entry::new(head, "payload")).await;
}

pub(crate) async fn any_version(ctx: StoreContext) {
    for number in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 53) + 1, u64::MAX >> 1] {
        let version = EntryVersion::from_u64(number);
        with_head(&ctx, EntryHead::new(version, Some(FUTURE), "meta")).await;
    }
}

pub(crate) async fn any_deadline(ctx: StoreContext) {
    let mut deadlines = vec![
        None,
        Some(Timestamp::from_millis(FUTURE.as_millis() + 1)),
        Some(Timestamp::MAX),
    ];
    if ctx.subject().keeps_expired {
        deadlines.extend([
            Some(Timestamp::MIN),
            Some(PAST),
            Some(Timestamp::from_millis(1_700_000_000_001)),
        ]);
    }
    for deadline in deadlines {
        with_head(&ctx, StoreContext::head(deadline)).await;
    }
}

pub(crate) async fn any_meta(ctx: StoreContext) {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let metas = [
        Vec::new(),
        vec![0],
        vec![0; EntryHead::META_MAX_LEN],
        every_byte,
        vec![b' '; 65],
    ];
    for meta in metas {
        assert!(meta.len() <= EntryHead::META_MAX_LEN);
        with_head(&ctx, EntryHead::new(StoreContext::version(), None, meta)).await;
    }
}

pub(crate) async fn a_payload_of_nothing(ctx: StoreContext) {
    kept(&ctx, &StoreContext::entry("")).await;
}

pub(crate) async fn a_payload_of_every_byte(ctx: StoreContext) {
    let bytes: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    kept(&ctx, &StoreContext::entry(bytes)).await;
}

/// Returns bytes without repetition.
fn bytes(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0])
        .collect()
}

pub(crate) async fn payloads_around_the_sizes_of_buffers(ctx: StoreContext) {
    for size in [256, 4_096, 65_536] {
        for length in [size - 1, size, size + 1] {
            kept(&ctx, &StoreContext::entry(bytes(length))).await;
        }
    }
}

pub(crate) async fn a_payload_of_eight_mebibytes(ctx: StoreContext) {
    kept(&ctx, &StoreContext::entry(bytes(8 << 20))).await;
}
