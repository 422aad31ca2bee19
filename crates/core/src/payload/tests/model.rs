//! [`Model`]: the contents of a session, independent of their representation.

use super::super::{AsOf, Namespace, Payload, RecordError, ValueMap};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::window::WindowId;

/// The contents of a session.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Model {
    pub(super) lifetime: Option<Lifetime>,
    pub(super) window: Option<WindowId>,
    pub(super) authenticated_at: Option<Timestamp>,
    pub(super) values: Vec<ModelValue>,
    pub(super) namespaces: Vec<(String, Lifetime, Vec<ModelValue>)>,
}

pub(super) type ModelValue = (String, Lifetime, Vec<u8>);

/// A moment long before anything ends.
pub(super) const BEGIN: AsOf = AsOf {
    now: Timestamp::from_millis(1),
    last_active: Timestamp::from_millis(1),
};

impl Model {
    pub(super) fn payload(&self) -> Payload {
        let mut payload = Payload {
            lifetime: self.lifetime,
            ..Payload::EMPTY
        };
        payload.set_window(self.window);
        payload.set_authenticated_at(self.authenticated_at);
        fill(&mut payload, None, &self.values);
        for (name, lifetime, values) in &self.namespaces {
            payload.set_lifetime(Some(name), *lifetime, BEGIN).expect("it is open");
            fill(&mut payload, Some(name), values);
        }
        payload
    }
}

fn fill(payload: &mut Payload, namespace: Option<&str>, values: &[ModelValue]) {
    let map = payload.value_map_mut(namespace, BEGIN, || Lifetime::ENDLESS);
    let map = map.expect("it is open");
    for (name, lifetime, json) in values {
        map.set(name, json.clone(), BEGIN, Some(*lifetime), || *lifetime);
    }
}

/// Reads the whole contents through every accessor.
pub(super) fn model_of(payload: &mut Payload) -> Result<Model, RecordError> {
    let names = |payload: &Payload| -> Vec<(String, Lifetime)> {
        let name = |namespace: &Namespace| namespace.name.read(payload.loaded()).to_owned();
        payload
            .namespaces
            .iter()
            .map(|found| (name(found), found.lifetime))
            .collect()
    };
    let mut namespaces = Vec::new();
    for (name, lifetime) in names(payload) {
        let map = payload.value_map(Some(&name), BEGIN)?;
        namespaces.push((name, lifetime, map.map(|map| values_of(map)).unwrap_or_default()));
    }
    Ok(Model {
        lifetime: payload.lifetime,
        window: payload.window(),
        authenticated_at: payload.authenticated_at(),
        values: values_of(&payload.values),
        namespaces,
    })
}

fn values_of(map: &ValueMap) -> Vec<ModelValue> {
    let names = map.names(BEGIN);
    let entries = map.clone().index().clone();
    let value = |name: String| {
        let entry = entries.iter().find(|entry| entry.name.is(&name, &map.source));
        let json = map.read(&name, BEGIN).map(<[u8]>::to_vec);
        (name, entry.expect("it is named").lifetime, json.unwrap_or_default())
    };
    names.into_iter().map(value).collect()
}

/// Returns a session with everything that a payload can hold.
pub(super) fn rich() -> Model {
    let lifetime = |window, limit: Option<u64>, transient| Lifetime {
        window,
        limit: limit.map(Timestamp::from_millis),
        transient,
    };
    let value = |name: &str, lifetime, json: &str| (name.to_owned(), lifetime, json.as_bytes().to_vec());
    Model {
        lifetime: Some(lifetime(Some(300), Some(70_000), true)),
        window: WindowId::parse_bytes(b"window_1"),
        authenticated_at: Some(Timestamp::from_millis(300)),
        values: vec![
            value("user", lifetime(None, None, false), "7"),
            value("näme", lifetime(Some(5), None, false), r#"{"a":[1,2]}"#),
        ],
        namespaces: vec![
            (
                "cart".to_owned(),
                lifetime(None, Some(9), false),
                vec![value("", lifetime(None, None, true), r#""""#)],
            ),
            ("empty".to_owned(), lifetime(Some(200), None, false), Vec::new()),
        ],
    }
}
