//! Encodes payloads. The parent module describes the format.

use bytes::Bytes;

use super::decode::{EXTENSIONS, LIFETIME, MAGIC, PLAIN, VERSION_1, VERSION_2};
use super::entry::{Entry, Value};
use super::sink::{Length, Sink, Writer};
use super::value_map::{Form, ValueMap};
use super::{AsOf, Namespace, Payload, Summary, Values};
use crate::expiration::Lifetime;

impl Payload {
    /// Encodes the payload, leaving out expired items.
    #[inline]
    pub(crate) fn encode(&self, at: AsOf) -> Bytes {
        self.encode_up_to(VERSION_1, at)
    }

    /// Like [`encode`](Self::encode), but may use features of the format up to `version`, if the payload has a use for
    /// them.
    pub(crate) fn encode_up_to(&self, version: u8, at: AsOf) -> Bytes {
        let mark_plain = version >= VERSION_2 && self.is_plain(at);
        // A storage may keep this very allocation, so its capacity must not exceed its length.
        let mut length = Length::default();
        self.write(&mut length, mark_plain, at);
        let mut writer = Writer(Vec::with_capacity(length.0));
        self.write(&mut writer, mark_plain, at);
        debug_assert_eq!(writer.0.len(), length.0, "the length was computed exactly");
        writer.0.into_boxed_slice().into()
    }

    #[inline]
    fn write(&self, sink: &mut impl Sink, mark_plain: bool, at: AsOf) {
        let flag = |set, flag| if set { flag } else { 0 };
        let is_extended = !self.extensions.is_empty();
        sink.byte(MAGIC);
        sink.byte(if mark_plain { VERSION_2 } else { VERSION_1 });
        sink.byte(flag(self.lifetime.is_some(), LIFETIME) | flag(is_extended, EXTENSIONS) | flag(mark_plain, PLAIN));
        if let Some(lifetime) = self.lifetime {
            sink.lifetime(lifetime);
        }
        if is_extended {
            self.extensions.encode(sink, self.loaded());
        }
        self.values.write(sink, at);
        self.write_namespaces(sink, at);
    }

    #[inline]
    fn write_namespaces(&self, sink: &mut impl Sink, at: AsOf) {
        if self.namespaces.is_empty() {
            return sink.number(0);
        }
        let kept = || self.namespaces.iter().filter(|namespace| namespace.is_kept(at));
        sink.number(kept().count() as u64);
        for namespace in kept() {
            namespace.write(sink, self.loaded(), at);
        }
    }

    /// Returns whether the payload is plain, ignoring expired items.
    fn is_plain(&self, at: AsOf) -> bool {
        self.values.is_plain(at) && !self.namespaces.iter().any(|namespace| namespace.is_kept(at))
    }
}

impl Namespace {
    pub(super) fn is_kept(&self, at: AsOf) -> bool {
        !at.is_over(self.lifetime, self.since) && !self.is_blank(at)
    }

    /// Returns whether there is nothing to keep: no value, no lifetime of its own, and no extension.
    fn is_blank(&self, at: AsOf) -> bool {
        let empty = matches!(&self.values, Values::Open(map) if map.is_empty(at));
        empty && self.lifetime.is_endless() && self.extensions.is_empty()
    }

    fn write(&self, sink: &mut impl Sink, payload: &[u8], at: AsOf) {
        sink.bytes(self.name.read(payload).as_bytes());
        sink.extended_lifetime(self.lifetime, self.extensions.read(payload));
        match &self.values {
            Values::Closed { span, summary } => {
                sink.lifetime(as_lifetime(*summary));
                sink.bytes(span.read(payload));
            }
            Values::Open(values) => {
                sink.lifetime(as_lifetime(values.summary_at(at)));
                let mut length = Length::default();
                values.write(&mut length, at);
                sink.number(length.0 as u64);
                values.write(sink, at);
            }
        }
    }
}

fn as_lifetime(summary: Summary) -> Lifetime {
    Lifetime {
        window: summary.window,
        limit: None,
        transient: summary.transient,
    }
}

impl ValueMap {
    #[inline]
    fn write(&self, sink: &mut impl Sink, at: AsOf) {
        match &self.form {
            Form::Plain(plain) => {
                sink.number(plain.count as u64);
                plain.parts(&self.source).iter().for_each(|part| sink.put(part));
            }
            Form::Indexed(entries) => {
                let kept = || kept(entries, at);
                sink.number(kept().count() as u64);
                kept().for_each(|entry| entry.write(sink, &self.source));
            }
        }
    }

    fn is_plain(&self, at: AsOf) -> bool {
        let is_plain = |entry: &Entry| entry.lifetime.is_endless() && entry.extensions.is_empty();
        match &self.form {
            Form::Plain(_) => true,
            Form::Indexed(entries) => kept(entries, at).all(is_plain),
        }
    }

    /// Returns the summary of the values that have not expired.
    fn summary_at(&self, at: AsOf) -> Summary {
        match &self.form {
            Form::Plain(_) => Summary::default(),
            Form::Indexed(entries) => kept(entries, at)
                .map(|entry| Summary::of(entry.lifetime))
                .fold(Summary::default(), Summary::and),
        }
    }
}

fn kept(entries: &[Entry], at: AsOf) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(move |entry| !entry.is_over(at))
}

impl Entry {
    fn write(&self, sink: &mut impl Sink, source: &[u8]) {
        sink.bytes(self.name.read(source).as_bytes());
        sink.extended_lifetime(self.lifetime, self.extensions.read(source));
        match &self.value {
            Value::Stored(span) => sink.bytes(span.read(source)),
            Value::Set(json) => sink.bytes(json),
        }
    }
}
