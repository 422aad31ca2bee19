//! [`Extensions`]: facts about a session beside its values, including those that only a later version of this crate
//! knows.

use super::error::RecordError;
use super::sink::{Length, Sink, number_len};
use super::wire::{Reader, Span};
use crate::clock::Timestamp;
use crate::window::WindowId;

const WINDOW: u64 = 1;
const AUTHENTICATED_AT: u64 = 2;

/// The extensions of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extensions {
    /// The browser window that transient data belongs to.
    pub(super) window: Option<WindowId>,
    /// The moment of the last authentication.
    pub(super) authenticated_at: Option<Timestamp>,
    /// The span in the payload of extensions that only a later version knows.
    pub(super) unknown: Span,
}

impl Extensions {
    pub(super) const NONE: Self = Self {
        window: None,
        authenticated_at: None,
        unknown: Span::EMPTY,
    };

    pub(super) fn is_empty(&self) -> bool {
        self.window.is_none() && self.authenticated_at.is_none() && self.unknown.is_empty()
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, RecordError> {
        const WHAT: &str = "an extension";
        let mut extensions = Self::NONE;
        let mut reader = reader.inside(WHAT)?;
        let mut last = 0;
        while reader.remaining() > 0 {
            let rest = reader.rest();
            let tag = reader.number(WHAT)?;
            if tag <= last {
                return Err(RecordError::at(WHAT));
            }
            last = tag;
            let mut content = reader.inside(WHAT)?;
            match tag {
                WINDOW => {
                    let window = WindowId::parse_bytes(content.read(content.rest()));
                    extensions.window = Some(window.ok_or(RecordError::at(WHAT))?);
                }
                AUTHENTICATED_AT => {
                    extensions.authenticated_at = Some(Timestamp::from_millis(content.number(WHAT)?));
                    if content.remaining() > 0 {
                        return Err(RecordError::at(WHAT));
                    }
                }
                _ if extensions.unknown.is_empty() => extensions.unknown = rest,
                _ => {}
            }
        }
        Ok(extensions)
    }

    pub(super) fn encode(&self, sink: &mut impl Sink, payload: &[u8]) {
        let mut length = Length::default();
        self.write(&mut length, payload);
        sink.number(length.0 as u64);
        self.write(sink, payload);
    }

    fn write(&self, sink: &mut impl Sink, payload: &[u8]) {
        if let Some(window) = self.window {
            sink.number(WINDOW);
            sink.bytes(window.as_bytes());
        }
        if let Some(moment) = self.authenticated_at {
            let moment = moment.as_millis();
            sink.number(AUTHENTICATED_AT);
            sink.number(number_len(moment) as u64);
            sink.number(moment);
        }
        sink.put(self.unknown.read(payload));
    }
}
