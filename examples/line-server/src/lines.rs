//! [`Lines`]: a connection as a sequence of lines, with limits on their length and delay.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::watch;
use tokio::time::timeout;

/// The longest line accepted, in bytes, including its end.
pub(crate) const MAX_LINE: usize = 8 * 1024;

/// A connection.
pub(crate) struct Lines<S> {
    stream: BufReader<S>,
    /// The time limit for the peer to send or receive a line.
    idle: Duration,
    stopped: watch::Receiver<bool>,
}

/// An item received from the peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Line(String),
    /// A line that is not UTF-8.
    NotText,
    /// The end of the connection.
    End(End),
}

/// The reason for the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Idle,
    TooLong,
    Stopped,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    pub(crate) fn new(stream: S, idle: Duration, stopped: watch::Receiver<bool>) -> Self {
        Self {
            stream: BufReader::new(stream),
            idle,
            stopped,
        }
    }

    /// Reads the next line. Ignores a line that is cut off by the end of the connection.
    pub(crate) async fn next(&mut self) -> io::Result<Received> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(MAX_LINE as u64);
        tokio::select! {
            // Serves a request that has arrived before the server stops.
            biased;
            read = timeout(self.idle, bounded.read_until(b'\n', &mut line)) => match read {
                Ok(read) => read?,
                Err(_) => return Ok(Received::End(End::Idle)),
            },
            _ = self.stopped.wait_for(|stopped| *stopped) => return Ok(Received::End(End::Stopped)),
        };
        if line.pop() != Some(b'\n') {
            let too_long = line.len() + 1 >= MAX_LINE;
            return Ok(Received::End(if too_long { End::TooLong } else { End::Closed }));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(String::from_utf8(line).map_or(Received::NotText, Received::Line))
    }

    /// Sends a line.
    pub(crate) async fn send(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        timeout(self.idle, self.stream.write_all(line.as_bytes())).await?
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn pair() -> (DuplexStream, Lines<DuplexStream>, watch::Sender<bool>) {
        let (near, far) = duplex(64 * 1024);
        let (stop, stopped) = watch::channel(false);
        (near, Lines::new(far, IDLE, stopped), stop)
    }

    #[tokio::test]
    async fn lines_end_with_or_without_a_carriage_return() {
        let (mut peer, mut lines, _stop) = pair();
        peer.write_all(b"one\r\ntwo\n\n\xff\nhalf").await.unwrap();
        drop(peer);
        assert_eq!(lines.next().await.unwrap(), Received::Line("one".into()));
        assert_eq!(lines.next().await.unwrap(), Received::Line("two".into()));
        assert_eq!(lines.next().await.unwrap(), Received::Line(String::new()));
        assert_eq!(lines.next().await.unwrap(), Received::NotText);
        assert_eq!(lines.next().await.unwrap(), Received::End(End::Closed));
    }

    #[tokio::test]
    async fn the_longest_line_is_read_and_one_byte_more_is_not() {
        for (length, fits) in [(MAX_LINE - 1, true), (MAX_LINE, false)] {
            let (mut peer, mut lines, _stop) = pair();
            let text = "x".repeat(length);
            peer.write_all(format!("{text}\n").as_bytes()).await.unwrap();
            let expected = if fits {
                Received::Line(text)
            } else {
                Received::End(End::TooLong)
            };
            assert_eq!(lines.next().await.unwrap(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_sends_or_receives_nothing_times_out() {
        let (mut peer, mut lines, _stop) = pair();
        peer.write_all(b"half a li").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Received::End(End::Idle));
        let sent = lines.send("x".repeat(128 * 1024)).await;
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_line_that_has_arrived_is_served_before_the_server_stops() {
        let (mut peer, mut lines, stop) = pair();
        peer.write_all(b"one\n").await.unwrap();
        stop.send(true).unwrap();
        assert_eq!(lines.next().await.unwrap(), Received::Line("one".into()));
        assert_eq!(lines.next().await.unwrap(), Received::End(End::Stopped));
    }
}
