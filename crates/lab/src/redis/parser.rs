//! [`Parser`]: extracts the names of commands from a stream.

/// Finds the commands in the bytes that a client sends.
#[derive(Debug, Default)]
pub(super) struct Parser {
    pending: Vec<u8>,
}

impl Parser {
    /// Returns the names of the commands that are complete with these bytes.
    pub(super) fn commands(&mut self, bytes: &[u8]) -> Vec<String> {
        self.pending.extend_from_slice(bytes);
        let (mut names, mut done) = (Vec::new(), 0);
        while let Some((name, length)) = command(&self.pending[done..]) {
            names.push(name);
            done += length;
        }
        self.pending.drain(..done);
        names
    }
}

/// Returns the name of the first command in these bytes and its length, if it is complete.
fn command(bytes: &[u8]) -> Option<(String, usize)> {
    let (count, mut at) = number(bytes, 0, b'*')?;
    let mut name = String::new();
    for index in 0..count {
        let (length, start) = number(bytes, at, b'$')?;
        let argument = bytes.get(start..start + length)?;
        if index == 0 {
            name = String::from_utf8_lossy(argument).to_uppercase();
        }
        at = start + length + 2;
    }
    (at <= bytes.len()).then_some((name, at))
}

/// Returns the number on the line that begins here, and the position of the next line.
fn number(bytes: &[u8], at: usize, prefix: u8) -> Option<(usize, usize)> {
    let end = at + bytes.get(at..)?.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = bytes[at..end].strip_prefix(&[prefix])?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_however_the_bytes_are_cut() {
        let bytes = b"*2\r\n$3\r\nget\r\n$5\r\na\r\nbc\r\n*1\r\n$4\r\nPING\r\n";
        for cut in 0..bytes.len() {
            let mut parser = Parser::default();
            let mut names = parser.commands(&bytes[..cut]);
            names.extend(parser.commands(&bytes[cut..]));
            assert_eq!(names, ["GET", "PING"], "cut at {cut}");
            assert!(parser.pending.is_empty());
        }
    }
}
