#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::*;

use super::*;

/// The result of the next write to the inner stream.
#[derive(Debug, Clone, Copy)]
enum Step {
    Take(usize),
    Full,
    Fail,
}

/// A stream that takes its results from a list, and takes everything when the list is empty.
#[derive(Default)]
struct Inner {
    steps: VecDeque<Step>,
    written: Vec<u8>,
    writes: usize,
    flushes: usize,
    ends: usize,
}

impl AsyncWrite for Inner {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes += 1;
        let length = match self.steps.pop_front() {
            Some(Step::Full) => return Poll::Pending,
            Some(Step::Fail) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Some(Step::Take(most)) => bytes.len().min(most),
            None => bytes.len(),
        };
        self.written.extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ends += 1;
        Poll::Ready(Ok(()))
    }
}

/// Counts wake-ups.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A coalescing stream, its inner stream, and the calls that write to it.
struct Writer {
    coalesce: Coalesce<Inner, ()>,
    /// The first is that of the connection's state.
    calls: Vec<Arc<()>>,
    woken: Arc<Woken>,
}

impl Writer {
    fn new(calls: usize, steps: &[Step]) -> Self {
        let keeps = Arc::new(());
        let inner = Inner {
            steps: steps.iter().copied().collect(),
            ..Inner::default()
        };
        let coalesce = Coalesce::new(inner, Arc::downgrade(&keeps));
        Self {
            coalesce,
            calls: vec![keeps; calls + 1],
            woken: Arc::default(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let waker = Arc::clone(&self.woken).into();
        Pin::new(&mut self.coalesce).poll_write(&mut Context::from_waker(&waker), bytes)
    }

    /// Writes, and returns how often that was delayed when nothing is added meanwhile.
    fn count_delays(&mut self) -> usize {
        let before = self.woken();
        while self.write(b"GET").is_pending() {}
        self.woken() - before
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

fn is_written(poll: Poll<io::Result<usize>>, length: usize) -> bool {
    matches!(poll, Poll::Ready(Ok(written)) if written == length)
}

#[test]
fn a_single_call_is_not_delayed() {
    for calls in 0..=1 {
        let mut writer = Writer::new(calls, &[]);
        assert!(is_written(writer.write(b"GET"), 3));
        assert_eq!(writer.woken(), 0);
    }
}

#[test]
fn a_write_waits_for_the_tasks_that_are_ready() {
    let mut writer = Writer::new(2, &[]);
    assert!(writer.write(b"GET 1").is_pending());
    assert!(writer.write(b"GET 1 GET 2").is_pending());
    assert_eq!(writer.woken(), 2);
    // A write that keeps growing is not delayed for ever.
    assert!(is_written(writer.write(b"GET 1 GET 2 GET 3"), 17));
    assert_eq!(writer.coalesce.stream.written, b"GET 1 GET 2 GET 3");
    assert_eq!(writer.woken(), 2);
    assert_eq!(writer.coalesce.stream.writes, 1);
}

#[test]
fn delays_in_vain_are_skipped_more_and_more() {
    let mut writer = Writer::new(2, &[]);
    let mut rests = Vec::new();
    for _ in 0..8 {
        assert_eq!(writer.count_delays(), 1);
        let mut rest = 0;
        while writer.coalesce.skips > 0 {
            assert_eq!(writer.count_delays(), 0);
            rest += 1;
        }
        rests.push(rest);
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 32, 32]);
    // A delay that adds something resets the skips.
    assert!(writer.write(b"GET 1").is_pending());
    assert!(writer.write(b"GET 1 GET 2").is_pending());
    assert!(is_written(writer.write(b"GET 1 GET 2"), 11));
    assert!(writer.write(b"GET 3").is_pending());
}

#[test]
fn a_long_write_is_not_delayed() {
    let mut writer = Writer::new(9, &[]);
    let long = vec![7; LARGE_WRITE];
    assert!(is_written(writer.write(&long), LARGE_WRITE));
    // A write that has grown long is not delayed either.
    assert!(writer.write(&long[1..]).is_pending());
    assert!(is_written(writer.write(&long), LARGE_WRITE));
    assert_eq!(writer.woken(), 1);
}

#[test]
fn the_rest_of_a_partial_write_is_not_delayed() {
    let mut writer = Writer::new(2, &[Step::Take(2), Step::Full, Step::Take(1)]);
    assert!(writer.write(b"GET").is_pending());
    assert!(is_written(writer.write(b"GET"), 2));
    // Only the inner stream wakes the writer when it has room again.
    assert!(writer.write(b"T").is_pending());
    assert_eq!(writer.woken(), 1);
    assert!(is_written(writer.write(b"TX"), 1));
    assert!(is_written(writer.write(b"X"), 1));
    assert_eq!(writer.coalesce.stream.written, b"GETX");
    assert_eq!(writer.woken(), 1);
}

#[test]
fn an_error_of_the_inner_stream_is_returned() {
    let mut writer = Writer::new(1, &[Step::Fail]);
    let Poll::Ready(Err(error)) = writer.write(b"GET") else {
        panic!("it did not fail");
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn flush_and_shutdown_are_not_delayed() {
    let mut writer = Writer::new(2, &[]);
    assert!(writer.write(b"GET").is_pending());
    let waker = Arc::clone(&writer.woken).into();
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut writer.coalesce).poll_flush(&mut cx).is_ready());
    assert!(Pin::new(&mut writer.coalesce).poll_shutdown(&mut cx).is_ready());
    let inner = &writer.coalesce.stream;
    assert_eq!((inner.flushes, inner.ends, inner.writes), (1, 1, 0));
    // A flush does not end the delay.
    assert!(is_written(writer.write(b"GET"), 3));
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![3 => (1_usize..40).prop_map(Step::Take), 1 => Just(Step::Full)]
}

proptest! {
    /// Writes like the client: bytes that were not taken are offered again, followed by new ones.
    #[test]
    fn bytes_come_out_in_order_and_all_of_them(
        steps in prop::collection::vec(step(), 0..40),
        additions in prop::collection::vec((0_usize..60, 0_usize..4), 1..60),
    ) {
        let mut writer = Writer::new(0, &steps);
        let (mut given, mut offered) = (0_usize, VecDeque::new());
        let bytes = |range: std::ops::Range<usize>| range.map(|byte| (byte % 251) as u8);
        let mut additions = additions.into_iter();
        let mut in_a_row = 0;
        loop {
            let addition = additions.next();
            if let Some((length, calls)) = addition {
                offered.extend(bytes(given..given + length));
                given += length;
                let keeps = Arc::clone(&writer.calls[0]);
                writer.calls.resize(calls + 1, keeps);
            }
            if offered.is_empty() {
                if addition.is_none() {
                    break;
                }
                continue;
            }
            let (woken, writes) = (writer.woken(), writer.coalesce.stream.writes);
            match writer.write(offered.make_contiguous()) {
                Poll::Ready(length) => drop(offered.drain(..length.unwrap())),
                // Either the inner stream was called, and wakes the writer when it has room, or this one has woken it.
                Poll::Pending => prop_assert!(writer.woken() > woken || writer.coalesce.stream.writes > writes),
            }
            in_a_row = if writer.coalesce.stream.writes > writes { 0 } else { in_a_row + 1 };
            prop_assert!(in_a_row <= usize::from(MAX_DELAYS));
        }
        prop_assert!(bytes(0..given).eq(writer.coalesce.stream.written));
    }
}
