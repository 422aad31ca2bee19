//! Writing a payload; the format is described in the module above.

use bytes::Bytes;

use super::block::{Block, Entry, Value};
use super::decode::{EXTENSIONS, LIFETIME, MAGIC, VERSION};
use super::wire::Writer;
use super::{AsOf, Contents, Namespace, Summary, Values};
use crate::expiration::Lifetime;

impl Contents {
    /// The payload that says what this says, without what is over.
    pub(crate) fn encode(&self, at: AsOf) -> Bytes {
        let mut writer = Writer(Vec::with_capacity(self.payload.len() + 128));
        writer.byte(MAGIC);
        writer.byte(VERSION);
        let flag = |set, flag| if set { flag } else { 0 };
        let is_extended = !self.extensions.is_empty();
        writer.byte(flag(self.lifetime.is_some(), LIFETIME) | flag(is_extended, EXTENSIONS));
        if let Some(lifetime) = self.lifetime {
            writer.lifetime(lifetime);
        }
        if is_extended {
            self.extensions.encode(&mut writer, &self.payload);
        }
        block(&mut writer, &self.values, at);
        let kept = |namespace: &&Namespace| namespace.is_kept(at);
        writer.number(self.namespaces.iter().filter(kept).count() as u64);
        for namespace in self.namespaces.iter().filter(kept) {
            writer.bytes(namespace.name.read(&self.payload).as_bytes());
            writer.extended_lifetime(namespace.lifetime, namespace.extensions.read(&self.payload));
            match &namespace.values {
                Values::Closed { bytes, summary } => {
                    writer.lifetime(as_lifetime(*summary));
                    writer.bytes(bytes);
                }
                Values::Open(values) => {
                    let mut inner = Writer(Vec::with_capacity(64));
                    let summary = block(&mut inner, values, at);
                    writer.lifetime(as_lifetime(summary));
                    writer.bytes(&inner.0);
                }
            }
        }
        // A storage may keep this very allocation, so it is not to be larger than what is in it.
        writer.0.into_boxed_slice().into()
    }
}

impl Namespace {
    pub(super) fn is_kept(&self, at: AsOf) -> bool {
        !at.is_over(self.lifetime, self.since) && !self.is_blank(at)
    }

    /// Whether there is nothing to keep: no value, no lifetime of its own, and no extension.
    fn is_blank(&self, at: AsOf) -> bool {
        let is_over = |entry: &Entry| at.is_over(entry.lifetime, entry.since);
        let empty = matches!(&self.values, Values::Open(block) if block.entries.iter().all(is_over));
        empty && self.lifetime.is_endless() && self.extensions.is_empty()
    }
}

fn as_lifetime(summary: Summary) -> Lifetime {
    Lifetime {
        window: summary.window,
        limit: None,
        transient: summary.transient,
    }
}

fn block(writer: &mut Writer, values: &Block, at: AsOf) -> Summary {
    let kept = || {
        values
            .entries
            .iter()
            .filter(|entry| !at.is_over(entry.lifetime, entry.since))
    };
    writer.number(kept().count() as u64);
    let mut summary = Summary::default();
    for entry in kept() {
        writer.bytes(entry.name.read(&values.source).as_bytes());
        writer.extended_lifetime(entry.lifetime, entry.extensions.read(&values.source));
        match &entry.value {
            Value::Stored(span) => writer.bytes(span.read(&values.source)),
            Value::Set(json) => writer.bytes(json),
        }
        summary = summary.and(Summary::of(entry.lifetime));
    }
    summary
}
