//! [`Aftermath`]: what is left to do when the mutex of a shard is free again.

use std::task::Waker;

use sessile_core::Timestamp;

use crate::capacity::Room;
use crate::queue::{Queue, Wakes};

/// The work that a step leaves to be done. Most leave nothing, and that is seen at one glance.
#[derive(Default)]
pub(crate) struct Aftermath {
    is_any: bool,
    wakes: Wakes,
    sooner: Option<Timestamp>,
    freed: Room,
}

impl Aftermath {
    /// Whether there is anything to do.
    pub(crate) fn is_any(&self) -> bool {
        self.is_any
    }

    /// To be woken.
    pub(crate) fn wake(&mut self, waker: Waker) {
        self.is_any = true;
        self.wakes.wake(waker);
    }

    /// All who wait here are to be woken.
    pub(crate) fn wake_all(&mut self, queue: Queue) {
        self.is_any = true;
        self.wakes.wake_all(queue);
    }

    /// To be dropped.
    pub(crate) fn discard(&mut self, waker: Waker) {
        self.is_any = true;
        self.wakes.discard(waker);
    }

    /// Something leaves at this moment, which the sweeper may not know yet.
    pub(crate) fn expect(&mut self, moment: Timestamp) {
        self.is_any = true;
        self.sooner = Some(self.sooner.map_or(moment, |sooner| sooner.min(moment)));
    }

    /// Room that is free again.
    pub(crate) fn free(&mut self, room: Room) {
        if room != Room::default() {
            self.is_any = true;
            self.freed += room;
        }
    }

    /// The moment for the sweeper, the room, and those to wake and to drop, of whom there are mostly none.
    pub(crate) fn take(&mut self) -> (Option<Timestamp>, Room, Option<Wakes>) {
        self.is_any = false;
        let wakes = (!self.wakes.is_empty()).then(|| std::mem::take(&mut self.wakes));
        (self.sooner.take(), std::mem::take(&mut self.freed), wakes)
    }
}
