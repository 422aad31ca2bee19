//! What is in a session.

use std::collections::BTreeMap;

use crate::call::{Form, Place, Spot};
use crate::life::{Is, Life};

/// The default of the touch resolution.
const RESOLUTION: u64 = 60_000;

/// The values of one place, as somebody saw them.
pub(crate) type Seen = Vec<(String, u64)>;

#[derive(Debug, Clone)]
pub(crate) struct Item {
    name: &'static str,
    value: u64,
    life: Life,
}

/// A namespace, or the place of the values that stand in none.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    place: Place,
    life: Life,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// The session's own.
    pub(crate) life: Option<Life>,
    rooms: Vec<Room>,
}

/// Numbers the expirations that are set.
#[derive(Debug, Default)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn begin(&mut self, form: Form, now: u64) -> Life {
        self.0 += 1;
        Life::begin(self.0, form, now)
    }
}

impl Contents {
    fn position(&self, place: Place, now: u64) -> Option<usize> {
        let is_it = |room: &Room| room.place == place && room.life.is(now) != Is::Gone;
        self.rooms.iter().position(is_it)
    }

    /// The place, which begins if it is not there.
    fn room(&mut self, place: Place, now: u64, numbers: &mut Numbers) -> &mut Room {
        let index = self.position(place, now).unwrap_or_else(|| {
            self.rooms.retain(|room| room.place != place);
            self.rooms.push(Room {
                place,
                life: numbers.begin(Form::Never, now),
                items: Vec::new(),
            });
            self.rooms.len() - 1
        });
        let room = &mut self.rooms[index];
        room.life.is_vague |= room.life.is(now) == Is::Open;
        room
    }

    /// Sets a value; says whether that changed anything.
    pub(crate) fn set(
        &mut self,
        (place, name): Spot,
        value: u64,
        form: Option<Form>,
        now: u64,
        numbers: &mut Numbers,
    ) -> bool {
        let life = numbers.begin(form.unwrap_or(Form::Never), now);
        let room = self.room(place, now, numbers);
        let is_it = |item: &&mut Item| item.name == name && item.life.is(now) != Is::Gone;
        let Some(item) = room.items.iter_mut().find(is_it) else {
            room.items.retain(|item| item.name != name);
            room.items.push(Item { name, value, life });
            return true;
        };
        if form.is_some() {
            item.life = life;
        } else if item.value == value {
            return false;
        }
        item.value = value;
        true
    }

    pub(crate) fn unset(&mut self, (place, name): Spot, now: u64) -> bool {
        let Some(index) = self.position(place, now) else {
            return false;
        };
        let room = &mut self.rooms[index];
        let Some(index) = room.items.iter().position(|item| item.name == name) else {
            return false;
        };
        room.items.remove(index).life.is(now) != Is::Gone
    }

    pub(crate) fn set_key_life(&mut self, (place, name): Spot, life: Life, now: u64) -> bool {
        let Some(index) = self.position(place, now) else {
            return false;
        };
        let is_it = |item: &&mut Item| item.name == name && item.life.is(now) != Is::Gone;
        let item = self.rooms[index].items.iter_mut().find(is_it);
        item.map(|item| item.life = life).is_some()
    }

    pub(crate) fn set_room_life(&mut self, place: Place, life: Life, now: u64, numbers: &mut Numbers) {
        self.room(place, now, numbers).life = life;
    }

    /// Removes a namespace. Says whether it was there; `None` if nobody can tell.
    pub(crate) fn remove_room(&mut self, place: Place, now: u64) -> (Option<bool>, bool) {
        let Some(index) = self.rooms.iter().position(|room| room.place == place) else {
            return (Some(false), false);
        };
        let room = self.rooms.remove(index);
        let was_there = match room.life.is(now) {
            Is::Gone => Some(false),
            Is::Open => None,
            // With nothing live in it, it is kept only if it has an expiration, or nobody has written since.
            Is::There if room.items.iter().all(|item| item.life.is(now) != Is::There) => None,
            Is::There if room.life.is_vague => None,
            Is::There => Some(true),
        };
        (was_there, true)
    }

    /// Whether anything ends with the browser window.
    pub(crate) fn has_transient(&self) -> bool {
        self.lives().any(|life| life.transient)
    }

    pub(crate) fn remove_transient(&mut self) {
        self.rooms.retain(|room| !room.life.transient);
        for room in &mut self.rooms {
            room.items.retain(|item| !item.life.transient);
        }
    }

    /// What has ended is removed for good.
    pub(crate) fn purge(&mut self, now: u64) {
        self.rooms.retain(|room| room.life.is(now) != Is::Gone);
        for room in &mut self.rooms {
            room.items.retain(|item| item.life.is(now) != Is::Gone);
        }
        let is_bare = |life: &Life| life.window.is_none() && life.limit.is_none() && !life.transient;
        self.rooms.retain(|room| !room.items.is_empty() || !is_bare(&room.life));
    }

    /// Everything was written, and what slides begins anew, to within the resolution.
    pub(crate) fn write(&mut self, now: u64, resolution: u64) {
        if let Some(life) = &mut self.life {
            life.write(now, resolution);
        }
        self.lives_mut().for_each(|life| life.write(now, resolution));
    }

    /// A visit moves what slides: for sure where a resolution is given.
    pub(crate) fn visit(&mut self, now: u64, session: Option<u64>, items: Option<u64>) {
        if let Some(life) = &mut self.life {
            life.visit(now, session);
        }
        self.lives_mut().for_each(|life| life.visit(now, items));
    }

    /// By how much, at most, an end may lag behind; `None` if it may be that nothing slides at all.
    pub(crate) fn resolution(&self, now: u64) -> Option<u64> {
        let sure = |life: &&Life| life.is(now) == Is::There && !life.is_vague;
        let windows = self
            .life
            .iter()
            .chain(self.lives())
            .filter(sure)
            .filter_map(|life| life.window);
        Some(RESOLUTION.min(windows.min()? / 10))
    }

    /// Whether there may be anything in it that has slid out. That has to be removed before anything else may slide.
    pub(crate) fn may_hold_dead(&self, now: u64) -> bool {
        self.lives()
            .any(|life| life.is_vague || (life.window.is_some() && life.is(now) != Is::There))
    }

    /// Takes over what was learnt of the same expirations elsewhere.
    pub(crate) fn learn_from(&mut self, other: &Self) {
        let known: BTreeMap<u64, Life> = other.lives().map(|life| (life.number, life.clone())).collect();
        for life in self.lives_mut() {
            if let Some(known) = known.get(&life.number) {
                *life = known.clone();
            }
        }
    }

    /// Compares a place with what was seen of it, and learns from that.
    pub(crate) fn compare(&mut self, place: Place, seen: &Seen, now: u64) {
        let Some(index) = self.position(place, now) else {
            assert!(seen.is_empty(), "{place:?} is not there, but {seen:?} was seen in it");
            return;
        };
        let room = &mut self.rooms[index];
        let mut room_is = room.life.is(now);
        if !seen.is_empty() {
            room.life.learn(true, now);
            room_is = Is::There;
        }
        let mut expected = Seen::new();
        for item in &mut room.items {
            let found = seen.iter().any(|(name, _)| name == item.name);
            match (item.life.is(now), room_is) {
                (Is::There, Is::Open) => {
                    room.life.learn(false, now);
                    room_is = Is::Gone;
                }
                (Is::Open, Is::There | Is::Open) => item.life.learn(found, now),
                _ => {}
            }
            if (item.life.is(now), room_is) == (Is::There, Is::There) {
                expected.push((item.name.to_owned(), item.value));
            }
        }
        assert_eq!(&expected, seen, "in {room:?}");
    }

    /// The expirations of namespaces and values.
    fn lives(&self) -> impl Iterator<Item = &Life> {
        self.rooms
            .iter()
            .flat_map(|room| std::iter::once(&room.life).chain(room.items.iter().map(|item| &item.life)))
    }

    fn lives_mut(&mut self) -> impl Iterator<Item = &mut Life> {
        self.rooms
            .iter_mut()
            .flat_map(|room| std::iter::once(&mut room.life).chain(room.items.iter_mut().map(|item| &mut item.life)))
    }
}
