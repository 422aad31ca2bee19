//! Reads stored records.

use std::time::Duration;

use sessile_core::{Clock, Record, Session, SessionError, Storage, Timestamp, Visit};
use sessile_memory::MemoryStorage;

use crate::run::any_id;

pub(crate) struct Contents {
    pub(crate) tokens: Vec<String>,
    /// The window that a call has set.
    pub(crate) window: Option<Duration>,
}

/// A clock that always returns the same time.
#[derive(Debug)]
struct Frozen(Timestamp);

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Returns the contents of a record. It reads a copy, because reading moves sliding expirations.
pub(crate) async fn contents(record: &Record) -> Contents {
    let copy = MemoryStorage::builder()
        .clock(Frozen(record.meta.last_active))
        .shards(1)
        .sweeper(false)
        .build();
    let id = any_id();
    copy.create(&id.key(), record.clone()).await.expect("the copy is empty");
    let reader: Session = Session::builder(copy).build();
    let read = reader.init(Visit::attach(id), async {
        reader.start_readonly().await?;
        let window = reader.get("window")?.and_then(|value| value.as_u64());
        Ok::<_, SessionError>(Contents {
            tokens: reader.keys()?,
            window: window.map(Duration::from_millis),
        })
    });
    read.await.and_then(|read| read).expect("stored records can be read")
}
