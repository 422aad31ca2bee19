//! The part of the Redis protocol that controls a test server.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::PATIENCE;

/// A reply of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Null.
    Nil,
    /// An integer.
    Int(i64),
    /// A string of any type.
    Text(Vec<u8>),
    /// An array of replies.
    Array(Vec<Reply>),
    /// An error.
    Error(String),
}

impl Reply {
    /// Returns the text of the reply: an integer as digits, an error as its message, other types as an empty string.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Self::Int(int) => int.to_string(),
            Self::Error(message) => message.clone(),
            Self::Nil | Self::Array(_) => String::new(),
        }
    }

    /// Returns the items of an array; none for other types.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }
}

/// Sends one command on its own connection.
pub(super) fn command(port: u16, limit: Duration, args: &[&[u8]]) -> io::Result<Reply> {
    let mut stream = BufReader::new(connect(port, limit)?);
    send(stream.get_mut(), args)?;
    reply(&mut stream)
}

/// A connection for control commands, which stays open while others are refused.
#[derive(Debug)]
pub struct Admin {
    stream: BufReader<TcpStream>,
}

impl Admin {
    pub(super) fn connect(port: u16) -> Self {
        let stream = connect(port, PATIENCE).unwrap_or_else(|error| panic!("no connection to port {port}: {error}"));
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends a command and returns the reply.
    ///
    /// # Panics
    ///
    /// Panics if there is no reply.
    pub fn command(&mut self, args: &[&str]) -> Reply {
        self.send(args);
        reply(&mut self.stream).unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    /// Sends a command without reading its reply. Only for the last command of a connection.
    pub(super) fn send(&mut self, args: &[&str]) {
        let bytes: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        send(self.stream.get_mut(), &bytes).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    }
}

fn connect(port: u16, limit: Duration) -> io::Result<TcpStream> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    Ok(stream)
}

fn send(stream: &mut TcpStream, args: &[&[u8]]) -> io::Result<()> {
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        request.extend(format!("${}\r\n", arg.len()).bytes());
        request.extend_from_slice(arg);
        request.extend_from_slice(b"\r\n");
    }
    stream.write_all(&request)
}

fn reply(from: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (kind, rest) = line.trim_end().split_at(1);
    let number = || rest.parse::<i64>().map_err(io::Error::other);
    Ok(match kind {
        "+" => Reply::Text(rest.into()),
        "-" => Reply::Error(rest.into()),
        ":" => Reply::Int(number()?),
        "$" => match usize::try_from(number()?) {
            Ok(length) => {
                let mut text = vec![0; length + 2];
                from.read_exact(&mut text)?;
                text.truncate(length);
                Reply::Text(text)
            }
            Err(_) => Reply::Nil,
        },
        "*" => match usize::try_from(number()?) {
            Ok(length) => Reply::Array((0..length).map(|_| reply(from)).collect::<io::Result<_>>()?),
            Err(_) => Reply::Nil,
        },
        _ => return Err(io::Error::other(format!("unexpected reply {line:?}"))),
    })
}
