//! The contents of a session.

use std::collections::BTreeMap;

use crate::call::{ExpirationSpec, Scope, Slot};
use crate::lifetime::{Lifetime, Presence};

/// The default touch resolution.
const RESOLUTION: u64 = 60_000;

/// The values of one scope, as a visit has read them.
pub(crate) type Observed = Vec<(String, u64)>;

#[derive(Debug, Clone)]
pub(crate) struct Item {
    name: &'static str,
    value: u64,
    lifetime: Lifetime,
}

/// The values of a namespace, or those of the session itself.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    scope: Scope,
    lifetime: Lifetime,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// The lifetime of the session.
    pub(crate) lifetime: Option<Lifetime>,
    groups: Vec<Group>,
}

/// Numbers the expirations that are set.
#[derive(Debug, Default)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn begin(&mut self, spec: ExpirationSpec, now: u64) -> Lifetime {
        self.0 += 1;
        Lifetime::begin(self.0, spec, now)
    }
}

impl Contents {
    fn position(&self, scope: Scope, now: u64) -> Option<usize> {
        let is_it = |group: &Group| group.scope == scope && group.lifetime.presence(now) != Presence::Expired;
        self.groups.iter().position(is_it)
    }

    /// Returns the values of a scope, which is created if it does not exist.
    fn group(&mut self, scope: Scope, now: u64, numbers: &mut Numbers) -> &mut Group {
        let index = self.position(scope, now).unwrap_or_else(|| {
            self.groups.retain(|group| group.scope != scope);
            self.groups.push(Group {
                scope,
                lifetime: numbers.begin(ExpirationSpec::Never, now),
                items: Vec::new(),
            });
            self.groups.len() - 1
        });
        let group = &mut self.groups[index];
        group.lifetime.is_uncertain |= group.lifetime.presence(now) == Presence::Uncertain;
        group
    }

    /// Sets a value. Returns whether that changed anything.
    pub(crate) fn set(
        &mut self,
        (scope, name): Slot,
        value: u64,
        spec: Option<ExpirationSpec>,
        now: u64,
        numbers: &mut Numbers,
    ) -> bool {
        let lifetime = numbers.begin(spec.unwrap_or(ExpirationSpec::Never), now);
        let group = self.group(scope, now, numbers);
        let is_it = |item: &&mut Item| item.name == name && item.lifetime.presence(now) != Presence::Expired;
        let Some(item) = group.items.iter_mut().find(is_it) else {
            group.items.retain(|item| item.name != name);
            group.items.push(Item { name, value, lifetime });
            return true;
        };
        if spec.is_some() {
            item.lifetime = lifetime;
        } else if item.value == value {
            return false;
        }
        item.value = value;
        true
    }

    pub(crate) fn unset(&mut self, (scope, name): Slot, now: u64) -> bool {
        let Some(index) = self.position(scope, now) else {
            return false;
        };
        let group = &mut self.groups[index];
        let Some(index) = group.items.iter().position(|item| item.name == name) else {
            return false;
        };
        group.items.remove(index).lifetime.presence(now) != Presence::Expired
    }

    pub(crate) fn set_key_lifetime(&mut self, (scope, name): Slot, lifetime: Lifetime, now: u64) -> bool {
        let Some(index) = self.position(scope, now) else {
            return false;
        };
        let is_it = |item: &&mut Item| item.name == name && item.lifetime.presence(now) != Presence::Expired;
        let item = self.groups[index].items.iter_mut().find(is_it);
        item.map(|item| item.lifetime = lifetime).is_some()
    }

    pub(crate) fn set_group_lifetime(&mut self, scope: Scope, lifetime: Lifetime, now: u64, numbers: &mut Numbers) {
        self.group(scope, now, numbers).lifetime = lifetime;
    }

    /// Removes a namespace. Returns whether it existed, `None` if that is uncertain, and whether it was stored.
    pub(crate) fn remove_group(&mut self, scope: Scope, now: u64) -> (Option<bool>, bool) {
        let Some(index) = self.groups.iter().position(|group| group.scope == scope) else {
            return (Some(false), false);
        };
        let group = self.groups.remove(index);
        let was_there = match group.lifetime.presence(now) {
            Presence::Expired => Some(false),
            Presence::Uncertain => None,
            // Without live values, it is kept only if it has an expiration, or if nothing was written since.
            Presence::Present
                if group
                    .items
                    .iter()
                    .all(|item| item.lifetime.presence(now) != Presence::Present) =>
            {
                None
            }
            Presence::Present if group.lifetime.is_uncertain => None,
            Presence::Present => Some(true),
        };
        (was_there, true)
    }

    /// Returns whether anything ends with the browser window.
    pub(crate) fn has_transient(&self) -> bool {
        self.lifetimes().any(|lifetime| lifetime.transient)
    }

    pub(crate) fn remove_transient(&mut self) {
        self.groups.retain(|group| !group.lifetime.transient);
        for group in &mut self.groups {
            group.items.retain(|item| !item.lifetime.transient);
        }
    }

    /// Removes expired items for good.
    pub(crate) fn purge(&mut self, now: u64) {
        self.groups
            .retain(|group| group.lifetime.presence(now) != Presence::Expired);
        for group in &mut self.groups {
            group
                .items
                .retain(|item| item.lifetime.presence(now) != Presence::Expired);
        }
        let is_default =
            |lifetime: &Lifetime| lifetime.window.is_none() && lifetime.limit.is_none() && !lifetime.transient;
        self.groups
            .retain(|group| !group.items.is_empty() || !is_default(&group.lifetime));
    }

    /// Applies a write of everything, which restarts sliding expirations, with the precision of the resolution.
    pub(crate) fn write(&mut self, now: u64, resolution: u64) {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.write(now, resolution);
        }
        self.lifetimes_mut()
            .for_each(|lifetime| lifetime.write(now, resolution));
    }

    /// Applies a visit, which moves sliding expirations: certainly where a resolution is given.
    pub(crate) fn visit(&mut self, now: u64, session: Option<u64>, items: Option<u64>) {
        if let Some(lifetime) = &mut self.lifetime {
            lifetime.visit(now, session);
        }
        self.lifetimes_mut().for_each(|lifetime| lifetime.visit(now, items));
    }

    /// Returns the maximum delay of a stored end; `None` if it is uncertain that anything slides.
    pub(crate) fn resolution(&self, now: u64) -> Option<u64> {
        let certain = |lifetime: &&Lifetime| lifetime.presence(now) == Presence::Present && !lifetime.is_uncertain;
        let windows = self
            .lifetime
            .iter()
            .chain(self.lifetimes())
            .filter(certain)
            .filter_map(|lifetime| lifetime.window);
        Some(RESOLUTION.min(windows.min()? / 10))
    }

    /// Returns whether it may contain items whose sliding expiration has passed. They are removed before anything
    /// slides.
    pub(crate) fn may_hold_expired(&self, now: u64) -> bool {
        self.lifetimes().any(|lifetime| {
            lifetime.is_uncertain || (lifetime.window.is_some() && lifetime.presence(now) != Presence::Present)
        })
    }

    /// Takes over the knowledge about the same expirations from another copy.
    pub(crate) fn learn_from(&mut self, other: &Self) {
        let known: BTreeMap<u64, Lifetime> = other
            .lifetimes()
            .map(|lifetime| (lifetime.number, lifetime.clone()))
            .collect();
        for lifetime in self.lifetimes_mut() {
            if let Some(known) = known.get(&lifetime.number) {
                *lifetime = known.clone();
            }
        }
    }

    /// Compares a scope with the values that were read in it, and narrows the uncertain ends.
    pub(crate) fn compare(&mut self, scope: Scope, observed: &Observed, now: u64) {
        let Some(index) = self.position(scope, now) else {
            assert!(
                observed.is_empty(),
                "{scope:?} does not exist, but {observed:?} was read in it"
            );
            return;
        };
        let group = &mut self.groups[index];
        let mut group_presence = group.lifetime.presence(now);
        if !observed.is_empty() {
            group.lifetime.learn(true, now);
            group_presence = Presence::Present;
        }
        let mut expected = Observed::new();
        for item in &mut group.items {
            let found = observed.iter().any(|(name, _)| name == item.name);
            match (item.lifetime.presence(now), group_presence) {
                (Presence::Present, Presence::Uncertain) => {
                    group.lifetime.learn(false, now);
                    group_presence = Presence::Expired;
                }
                (Presence::Uncertain, Presence::Present | Presence::Uncertain) => item.lifetime.learn(found, now),
                _ => {}
            }
            if (item.lifetime.presence(now), group_presence) == (Presence::Present, Presence::Present) {
                expected.push((item.name.to_owned(), item.value));
            }
        }
        assert_eq!(&expected, observed, "in {group:?}");
    }

    /// Returns the lifetimes of namespaces and values.
    fn lifetimes(&self) -> impl Iterator<Item = &Lifetime> {
        self.groups
            .iter()
            .flat_map(|group| std::iter::once(&group.lifetime).chain(group.items.iter().map(|item| &item.lifetime)))
    }

    fn lifetimes_mut(&mut self) -> impl Iterator<Item = &mut Lifetime> {
        self.groups.iter_mut().flat_map(|group| {
            std::iter::once(&mut group.lifetime).chain(group.items.iter_mut().map(|item| &mut item.lifetime))
        })
    }
}
