//! Strategies for arbitrary sessions.

use proptest::prelude::*;

use super::model::{Model, ModelValue};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::window::WindowId;

fn lifetimes() -> impl Strategy<Value = Lifetime> {
    let numbers = || prop_oneof![2u64..1_000, 2..u64::MAX, Just(u64::MAX)];
    let dates = (2..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis);
    let parts = (prop::option::of(numbers()), prop::option::of(dates), any::<bool>());
    parts.prop_map(|(window, limit, transient)| Lifetime {
        window,
        limit,
        transient,
    })
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,2}", ".{0,8}", "n{200}"]
}

fn values(most: usize) -> impl Strategy<Value = Vec<ModelValue>> {
    let json = prop::collection::vec(any::<u8>(), 1..300);
    let values = prop::collection::vec((names(), lifetimes(), json), 0..most);
    values.prop_map(|values| first_of_each(values, |value| value.0.clone()))
}

pub(super) fn models() -> impl Strategy<Value = Model> {
    let namespaces = prop::collection::vec((names(), lifetimes(), values(4)), 0..4);
    let windows = prop::option::of("[a-z]{8}".prop_map(|id| WindowId::parse_bytes(id.as_bytes()).expect("it is one")));
    let moments = prop::option::of((0..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis));
    let parts = (prop::option::of(lifetimes()), windows, moments, values(6), namespaces);
    parts.prop_map(|(lifetime, window, authenticated_at, values, namespaces)| Model {
        lifetime,
        window,
        authenticated_at,
        values,
        namespaces: first_of_each(namespaces, |namespace| namespace.0.clone()),
    })
}

fn first_of_each<T>(items: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    items.into_iter().filter(|item| seen.insert(name(item))).collect()
}
