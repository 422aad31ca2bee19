//! [`Message`]: what a server publishes to a process that waits.

use sessile_core::LockToken;

/// A message from the server about one token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The lock was granted, as the request of this number has asked, and this is the record.
    Granted(u64, Vec<u8>),
    /// The state of the lock has changed: ask again.
    AskAgain,
}

impl Message {
    /// Parses a payload into the token it is for and the message; `None` if it is malformed.
    pub(super) fn parse(mut payload: Vec<u8>) -> Option<(LockToken, Self)> {
        let mut rest = payload.split_off(payload.len().min(17));
        let (token, granted) = payload.split_first_chunk::<16>()?;
        let message = match granted {
            [1] => {
                let request = u64::from_be_bytes(*rest.first_chunk()?);
                Self::Granted(request, rest.split_off(8))
            }
            [0] => Self::AskAgain,
            _ => return None,
        };
        Some((LockToken::from_bytes(*token), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_parsed_and_malformed_ones_are_not() {
        let token = LockToken::from_bytes([7; 16]);
        let payload = |rest: &[u8]| [&[7; 16], rest].concat();
        assert_eq!(
            Message::parse(payload(b"\x01\0\0\0\0\0\0\x01\x02record")),
            Some((token, Message::Granted(258, b"record".to_vec())))
        );
        assert_eq!(Message::parse(payload(b"\x00")), Some((token, Message::AskAgain)));
        for malformed in [
            payload(b""),
            payload(b"\x01look"),
            payload(b"\x02record"),
            vec![],
            vec![1; 16],
        ] {
            assert_eq!(Message::parse(malformed), None);
        }
    }
}
