#![allow(clippy::unwrap_used, reason = "in tests an unwrap is an assertion")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::*;

use super::*;

/// The answer of the stream beneath the next time it is asked to write.
#[derive(Debug, Clone, Copy)]
enum Step {
    Take(usize),
    Full,
    Fail,
}

/// A stream that does as it is told, and takes everything when it has been told nothing.
#[derive(Default)]
struct Beneath {
    steps: VecDeque<Step>,
    written: Vec<u8>,
    writes: usize,
    flushes: usize,
    ends: usize,
}

impl AsyncWrite for Beneath {
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

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream over one that is watched, and whoever writes to it.
struct Writer {
    gather: Gather<Beneath, ()>,
    /// The first is the one that keeps the connection.
    calls: Vec<Arc<()>>,
    woken: Arc<Woken>,
}

impl Writer {
    fn new(calls: usize, steps: &[Step]) -> Self {
        let keeps = Arc::new(());
        let beneath = Beneath {
            steps: steps.iter().copied().collect(),
            ..Beneath::default()
        };
        let gather = Gather::new(beneath, Arc::downgrade(&keeps));
        Self {
            gather,
            calls: vec![keeps; calls + 1],
            woken: Arc::default(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let waker = Arc::clone(&self.woken).into();
        Pin::new(&mut self.gather).poll_write(&mut Context::from_waker(&waker), bytes)
    }

    /// Writes something, and returns how often that was put off if nothing is added meanwhile.
    fn puts_off(&mut self) -> usize {
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
fn whoever_is_alone_waits_for_nobody() {
    for calls in 0..=1 {
        let mut writer = Writer::new(calls, &[]);
        assert!(is_written(writer.write(b"GET"), 3));
        assert_eq!(writer.woken(), 0);
    }
}

#[test]
fn those_who_are_ready_are_heard_first() {
    let mut writer = Writer::new(2, &[]);
    assert!(writer.write(b"GET 1").is_pending());
    assert!(writer.write(b"GET 1 GET 2").is_pending());
    assert_eq!(writer.woken(), 2);
    // However much comes, it is not put off for ever.
    assert!(is_written(writer.write(b"GET 1 GET 2 GET 3"), 17));
    assert_eq!(writer.gather.stream.written, b"GET 1 GET 2 GET 3");
    assert_eq!(writer.woken(), 2);
    assert_eq!(writer.gather.stream.writes, 1);
}

#[test]
fn where_nobody_comes_it_rests_longer_and_longer() {
    let mut writer = Writer::new(2, &[]);
    let mut rests = Vec::new();
    for _ in 0..8 {
        assert_eq!(writer.puts_off(), 1);
        let mut rest = 0;
        while writer.gather.rest > 0 {
            assert_eq!(writer.puts_off(), 0);
            rest += 1;
        }
        rests.push(rest);
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 32, 32]);
    // Once somebody comes it is as at first.
    assert!(writer.write(b"GET 1").is_pending());
    assert!(writer.write(b"GET 1 GET 2").is_pending());
    assert!(is_written(writer.write(b"GET 1 GET 2"), 11));
    assert!(writer.write(b"GET 3").is_pending());
}

#[test]
fn what_is_long_goes_at_once() {
    let mut writer = Writer::new(9, &[]);
    let long = vec![7; ENOUGH];
    assert!(is_written(writer.write(&long), ENOUGH));
    // So does what has become long.
    assert!(writer.write(&long[1..]).is_pending());
    assert!(is_written(writer.write(&long), ENOUGH));
    assert_eq!(writer.woken(), 1);
}

#[test]
fn the_rest_of_what_was_begun_goes_at_once() {
    let mut writer = Writer::new(2, &[Step::Take(2), Step::Full, Step::Take(1)]);
    assert!(writer.write(b"GET").is_pending());
    assert!(is_written(writer.write(b"GET"), 2));
    // The stream beneath wakes whoever waits for room; nobody else does.
    assert!(writer.write(b"T").is_pending());
    assert_eq!(writer.woken(), 1);
    assert!(is_written(writer.write(b"TX"), 1));
    assert!(is_written(writer.write(b"X"), 1));
    assert_eq!(writer.gather.stream.written, b"GETX");
    assert_eq!(writer.woken(), 1);
}

#[test]
fn what_fails_beneath_fails() {
    let mut writer = Writer::new(1, &[Step::Fail]);
    let Poll::Ready(Err(error)) = writer.write(b"GET") else {
        panic!("it did not fail");
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn flushing_and_ending_wait_for_nobody() {
    let mut writer = Writer::new(2, &[]);
    assert!(writer.write(b"GET").is_pending());
    let waker = Arc::clone(&writer.woken).into();
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut writer.gather).poll_flush(&mut cx).is_ready());
    assert!(Pin::new(&mut writer.gather).poll_shutdown(&mut cx).is_ready());
    let beneath = &writer.gather.stream;
    assert_eq!((beneath.flushes, beneath.ends, beneath.writes), (1, 1, 0));
    // A flush is no reason to forget what was to be written.
    assert!(is_written(writer.write(b"GET"), 3));
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![3 => (1_usize..40).prop_map(Step::Take), 1 => Just(Step::Full)]
}

proptest! {
    /// As a client writes: what is not taken is offered again, with whatever has come since behind it.
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
            let (woken, writes) = (writer.woken(), writer.gather.stream.writes);
            match writer.write(offered.make_contiguous()) {
                Poll::Ready(length) => drop(offered.drain(..length.unwrap())),
                // Either the stream beneath was asked, and tells when there is room, or this one has told.
                Poll::Pending => prop_assert!(writer.woken() > woken || writer.gather.stream.writes > writes),
            }
            in_a_row = if writer.gather.stream.writes > writes { 0 } else { in_a_row + 1 };
            prop_assert!(in_a_row <= usize::from(TURNS));
        }
        prop_assert!(bytes(0..given).eq(writer.gather.stream.written));
    }
}
