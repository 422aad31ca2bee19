//! [`Plain`]: what is in a session, without how it is kept.

use super::super::{AsOf, Block, Contents, Namespace, RecordError};
use crate::clock::Timestamp;
use crate::expiration::Lifetime;
use crate::window::WindowId;

/// A session's contents, as plain as can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plain {
    pub(super) lifetime: Option<Lifetime>,
    pub(super) window: Option<WindowId>,
    pub(super) authenticated_at: Option<Timestamp>,
    pub(super) values: Vec<PlainValue>,
    pub(super) namespaces: Vec<(String, Lifetime, Vec<PlainValue>)>,
}

pub(super) type PlainValue = (String, Lifetime, Vec<u8>);

/// Long before anything ends.
pub(super) const BEGIN: AsOf = AsOf {
    now: Timestamp::from_millis(1),
    last_active: Timestamp::from_millis(1),
};

impl Plain {
    pub(super) fn contents(&self) -> Contents {
        let mut contents = Contents {
            lifetime: self.lifetime,
            ..Contents::default()
        };
        contents.set_window(self.window);
        contents.set_authenticated_at(self.authenticated_at);
        fill(&mut contents, None, &self.values);
        for (name, lifetime, values) in &self.namespaces {
            contents.set_lifetime(Some(name), *lifetime, BEGIN).expect("it is open");
            fill(&mut contents, Some(name), values);
        }
        contents
    }
}

fn fill(contents: &mut Contents, namespace: Option<&str>, values: &[PlainValue]) {
    let block = contents.block_mut(namespace, BEGIN, || Lifetime::ENDLESS);
    let block = block.expect("it is open");
    for (name, lifetime, json) in values {
        block.set(name, json.clone(), BEGIN, Some(*lifetime), || *lifetime);
    }
}

/// Reads everything there is, through every door.
pub(super) fn plain(contents: &mut Contents) -> Result<Plain, RecordError> {
    let names = |contents: &Contents| -> Vec<(String, Lifetime)> {
        let name = |namespace: &Namespace| namespace.name.read(contents.loaded()).to_owned();
        contents
            .namespaces
            .iter()
            .map(|found| (name(found), found.lifetime))
            .collect()
    };
    let mut namespaces = Vec::new();
    for (name, lifetime) in names(contents) {
        let block = contents.block(Some(&name), BEGIN)?;
        namespaces.push((name, lifetime, block.map(plain_values).unwrap_or_default()));
    }
    Ok(Plain {
        lifetime: contents.lifetime,
        window: contents.window(),
        authenticated_at: contents.authenticated_at(),
        values: plain_values(&contents.values),
        namespaces,
    })
}

fn plain_values(block: &Block) -> Vec<PlainValue> {
    let names = block.names(BEGIN);
    let entries = block.clone().index().clone();
    let value = |name: String| {
        let entry = entries.iter().find(|entry| entry.name.is(&name, &block.source));
        let json = block.read(&name, BEGIN).map(<[u8]>::to_vec);
        (name, entry.expect("it is named").lifetime, json.unwrap_or_default())
    };
    names.into_iter().map(value).collect()
}

/// A session with everything in it that a payload can hold.
pub(super) fn rich() -> Plain {
    let lifetime = |window, limit: Option<u64>, transient| Lifetime {
        window,
        limit: limit.map(Timestamp::from_millis),
        transient,
    };
    let value = |name: &str, lifetime, json: &str| (name.to_owned(), lifetime, json.as_bytes().to_vec());
    Plain {
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
