//! Payloads: any bytes, from none to eight mebibytes.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::LockId;

use crate::kit::Context;
use crate::rng::Rng;

const MEBIBYTE: usize = 1 << 20;

fn noise(length: usize) -> Bytes {
    let mut rng = Rng::new(length as u64);
    let mut noise: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| rng.next().to_le_bytes()).collect();
    noise.truncate(length);
    noise.into()
}

/// Runs a step under a lock and renews the lock meanwhile, as sessions do. A slow disk may need longer than a lease.
async fn renewed<T>(ctx: &Context, lock_id: LockId, lease: Duration, step: impl Future<Output = T>) -> T {
    let mut step = pin!(step);
    loop {
        match tokio::time::timeout(lease / 4, &mut step).await {
            Ok(done) => return done,
            // If the lock is lost, the step reports it.
            Err(_) => drop(ctx.storage().renew(&lock_id).await),
        }
    }
}

/// Creates, commits, rotates and reads the payload. Compares without printing, because eight mebibytes of noise help no
/// reader.
async fn survives(ctx: &Context, what: &str, payload: Bytes) {
    let [key, next] = Context::keys();
    ctx.create(&key, ctx.record(payload.clone())).await;
    assert!(ctx.found(&key).await.payload == payload, "create changed {what}");

    let mut locked = ctx.lock(&key).await;
    assert!(locked.record.payload == payload, "lock changed {what}");
    ctx.commit(&mut locked, "something else").await;
    assert!(
        ctx.found(&key).await.payload == "something else",
        "{what} left something behind"
    );

    let mut locked = ctx.lock(&key).await;
    let (lock_id, lease) = (locked.lock.id(), locked.lock.lease());
    renewed(ctx, lock_id, lease, ctx.commit(&mut locked, payload.clone())).await;
    assert!(ctx.found(&key).await.payload == payload, "commit changed {what}");

    let mut locked = ctx.lock(&key).await;
    let lock_id = locked.lock.id();
    renewed(ctx, lock_id, lease, ctx.rotate(&mut locked, &next, Duration::ZERO)).await;
    assert!(ctx.found(&next).await.payload == payload, "rotate changed {what}");

    let version = ctx.found(&next).await.meta.version;
    ctx.touch(&next, version, None, ctx.now()).await;
    assert!(ctx.found(&next).await.payload == payload, "touch changed {what}");
    ctx.destroy(&next).await;
}

pub(crate) async fn nothing_at_all(ctx: Context) {
    survives(&ctx, "an empty payload", Bytes::new()).await;
}

pub(crate) async fn every_byte(ctx: Context) {
    let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    survives(&ctx, "a payload of every byte", every.into()).await;
}

/// Byte sequences that formats and protocols use as markers, at both ends and alone.
pub(crate) async fn what_looks_like_markup(ctx: Context) {
    let texts: [&[u8]; 8] = [
        b"\0",
        b"\n",
        b"\r\n",
        b" ",
        b"$-1\r\n",
        b"\xff\xfe",
        b"null",
        b"\"'\\{}[]:,;",
    ];
    for text in texts {
        let padded = [text, b"middle", text].concat();
        for payload in [Bytes::from_static(text), padded.into()] {
            survives(&ctx, &format!("the payload {payload:?}"), payload).await;
        }
    }
}

pub(crate) async fn around_the_sizes_of_buffers(ctx: Context) {
    for size in [
        1, 127, 128, 255, 256, 4_095, 4_096, 4_097, 8_192, 65_535, 65_536, 65_537,
    ] {
        survives(&ctx, &format!("a payload of {size} bytes"), noise(size)).await;
    }
}

pub(crate) async fn a_mebibyte(ctx: Context) {
    survives(&ctx, "a payload of a mebibyte", noise(MEBIBYTE)).await;
}

pub(crate) async fn eight_mebibytes(ctx: Context) {
    survives(&ctx, "a payload of eight mebibytes", noise(8 * MEBIBYTE)).await;
}
