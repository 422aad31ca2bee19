//! [`Part`]: some of the sessions that are kept, and what happens to them, as plain data.
//!
//! Sessions are kept on shelves, one for each [shard](SessionKey::shard). Whatever a verb does to a session under one
//! key or another, an alias perhaps, it does within a shard: so it is the shelf that a write clears, and nobody has to
//! know which key leads where.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sessile_core::{Meta, Record, SessionKey, Stored};
use tokio::time::Instant;

use crate::flight::Flight;

/// The name of a shelf.
type Shard = [u8; 3];

/// A part of the memory, behind a mutex of its own.
#[derive(Default)]
pub(crate) struct Part {
    shelves: HashMap<Shard, Shelf>,
    /// Which record makes room next, among some that are gone already: each as it came, and once more when it was
    /// used since.
    order: VecDeque<(SessionKey, u64)>,
    records: usize,
    last_number: u64,
    /// At how many shelves to look for empty ones.
    tidy_at: usize,
}

/// What is known of a shard.
#[derive(Default)]
struct Shelf {
    books: Vec<Book>,
    /// Loads that may be shared, and kept when they are done. A write takes them off the shelf.
    flights: Vec<(SessionKey, Arc<Flight>)>,
    /// How many writes are under way.
    writing: usize,
    /// Counts beginnings and ends of writes.
    turn: u64,
    /// Until when something may still happen of which nobody will hear.
    unsettled_until: Option<Instant>,
}

/// A session that is kept.
struct Book {
    key: SessionKey,
    record: Record,
    number: u64,
    used: bool,
}

/// A write under way, as its shelf knows it.
pub(crate) struct Turn(u64);

fn shard(key: &SessionKey) -> Shard {
    let text = key.shard().as_bytes();
    [text[0], text[1], text[2]]
}

impl Part {
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// What is kept under exactly this key.
    pub(crate) fn get(&mut self, key: &SessionKey) -> Option<&Record> {
        let shelf = self.shelves.get_mut(&shard(key))?;
        let book = shelf.books.iter_mut().find(|book| book.key == *key)?;
        book.used = true;
        Some(&book.record)
    }

    /// Stops keeping what is on the shelf of this key.
    pub(crate) fn forget(&mut self, key: &SessionKey) {
        self.clear(key);
        self.tidy_shelf(key);
    }

    // Loads

    /// The load of this key that is under way, or a new one. `None` if whatever is loaded now must not be shared.
    pub(crate) fn board(&mut self, key: &SessionKey, now: Instant) -> Option<Arc<Flight>> {
        self.tidy(now);
        let shelf = self.shelves.entry(shard(key)).or_default();
        if !shelf.is_settled(now) {
            return None;
        }
        if let Some((_, flight)) = shelf.flights.iter().find(|(to, _)| to == key) {
            return Some(Arc::clone(flight));
        }
        let flight = Arc::<Flight>::default();
        shelf.flights.push((*key, Arc::clone(&flight)));
        Some(flight)
    }

    /// Whether nothing was written since the load began.
    pub(crate) fn is_under_way(&self, key: &SessionKey, flight: &Arc<Flight>) -> bool {
        let shelf = self.shelves.get(&shard(key));
        shelf.is_some_and(|shelf| shelf.flights.iter().any(|(_, other)| Arc::ptr_eq(other, flight)))
    }

    /// The load is done: nobody joins it from now on.
    pub(crate) fn land(&mut self, key: &SessionKey, flight: &Arc<Flight>) {
        if let Some(shelf) = self.shelves.get_mut(&shard(key)) {
            shelf.flights.retain(|(_, other)| !Arc::ptr_eq(other, flight));
        }
        self.tidy_shelf(key);
    }

    // Writes

    /// Something is about to be written: clears the shelf. Returns what was kept under exactly this key.
    pub(crate) fn begin(&mut self, key: &SessionKey) -> (Turn, Option<Record>) {
        let kept = self.clear(key);
        let shelf = self.shelves.entry(shard(key)).or_default();
        shelf.writing += 1;
        shelf.turn += 1;
        (Turn(shelf.turn), kept)
    }

    /// A write has come to its end, or was dropped. If its effect is unknown, it remains so until then. Returns
    /// whether nothing else was written since it began.
    pub(crate) fn end(&mut self, key: &SessionKey, turn: &Turn, unsettled_until: Option<Instant>) -> bool {
        let Some(shelf) = self.shelves.get_mut(&shard(key)) else {
            return false;
        };
        let alone = shelf.turn == turn.0 && shelf.writing == 1;
        shelf.writing -= 1;
        shelf.turn += 1;
        shelf.unsettled_until = shelf.unsettled_until.max(unsettled_until);
        self.tidy_shelf(key);
        alone
    }

    /// Keeps a record, unless something in its shard is not settled. If there are too many, another one goes.
    pub(crate) fn keep(&mut self, stored: Stored, capacity: usize, now: Instant) {
        let Stored { key, record, .. } = stored;
        let shelf = self.shelves.entry(shard(&key)).or_default();
        if shelf.is_settled(now) {
            let before = shelf.books.len();
            shelf.books.retain(|book| book.key != key);
            self.records -= before - shelf.books.len();
            self.last_number += 1;
            shelf.books.push(Book {
                key,
                record,
                number: self.last_number,
                used: false,
            });
            self.records += 1;
            self.order.push_back((key, self.last_number));
        }
        while self.records > capacity {
            self.make_room();
        }
        if self.order.len() > self.records * 2 + 64 {
            let shelves = &self.shelves;
            self.order.retain(|(key, number)| {
                let shelf = shelves.get(&shard(key));
                shelf.is_some_and(|shelf| shelf.books.iter().any(|book| book.number == *number))
            });
        }
        self.tidy_shelf(&key);
    }

    /// Lets the record go that came first, except that those that were used since they came, or came again, are given
    /// another turn ("second chance").
    fn make_room(&mut self) {
        let Some((key, number)) = self.order.pop_front() else {
            return;
        };
        let Some(shelf) = self.shelves.get_mut(&shard(&key)) else {
            return;
        };
        let Some(index) = shelf.books.iter().position(|book| book.number == number) else {
            return;
        };
        if std::mem::take(&mut shelf.books[index].used) {
            self.order.push_back((key, number));
        } else {
            shelf.books.swap_remove(index);
            self.records -= 1;
            self.tidy_shelf(&key);
        }
    }

    /// Clears a shelf, and returns what was kept under exactly this key.
    fn clear(&mut self, key: &SessionKey) -> Option<Record> {
        let shelf = self.shelves.get_mut(&shard(key))?;
        shelf.flights.clear();
        let books = std::mem::take(&mut shelf.books);
        self.records -= books.len();
        books.into_iter().find(|book| book.key == *key).map(|book| book.record)
    }

    /// Removes a shelf on which nothing is left to know.
    fn tidy_shelf(&mut self, key: &SessionKey) {
        let shard = shard(key);
        if self
            .shelves
            .get(&shard)
            .is_some_and(|shelf| shelf.is_empty() && shelf.unsettled_until.is_none())
        {
            self.shelves.remove(&shard);
        }
    }

    /// Now and then removes the shelves that have settled with time.
    fn tidy(&mut self, now: Instant) {
        if self.shelves.len() >= self.tidy_at.max(64) {
            self.shelves
                .retain(|_, shelf| !shelf.is_empty() || !shelf.is_settled(now));
            self.tidy_at = self.shelves.len() * 2;
        }
    }
}

impl Shelf {
    /// Whether nothing is being written, and nothing may still come.
    fn is_settled(&self, now: Instant) -> bool {
        self.writing == 0 && self.unsettled_until.is_none_or(|until| until <= now)
    }

    fn is_empty(&self) -> bool {
        self.books.is_empty() && self.flights.is_empty() && self.writing == 0
    }
}

/// Whether a record is the one that these metadata are of. It may have been touched since.
pub(crate) fn is_of(record: &Record, meta: &Meta) -> bool {
    record.meta.version == meta.version && record.meta.created_at == meta.created_at
}
