//! Values are set, read, changed and removed in the session and in its namespaces alike.

mod common;

use std::collections::BTreeMap;

use common::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sessile_core::{Expiration, Key, MINUTE, Meta, Record, SECOND, SessionError, SessionId, Storage, Untyped, Visit};
use sessile_testkit::Operation;

/// Runs a test on a session and on a namespace, which have the same methods and must behave the same.
macro_rules! on_session_and_namespace {
    ($name:ident, |$fixture:ident, $values:ident, $update:ident| $body:block) => {
        mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            async fn session() -> Result<(), SessionError> {
                // Without this limit no expiration would be endless.
                let $fixture = fixture_with(|builder| builder.max_idle(None));
                let $values = &$fixture.session;
                macro_rules! $update {
                    ($key:expr, $change:expr) => {
                        $values.update($key, $change)
                    };
                }
                $fixture.session.enter(Visit::new(), async { $body }).await?;
                Ok(())
            }

            #[tokio::test(start_paused = true)]
            async fn namespace() -> Result<(), SessionError> {
                // Without this limit no expiration would be endless.
                let $fixture = fixture_with(|builder| builder.max_idle(None));
                let $values = &$fixture.session.namespace("n");
                macro_rules! $update {
                    ($key:expr, $change:expr) => {
                        $values.update($key, $change)
                    };
                }
                $fixture.session.enter(Visit::new(), async { $body }).await?;
                Ok(())
            }
        }
    };
}

const COUNT: Key<Untyped, u64> = Key::new("count");

on_session_and_namespace!(a_value_is_what_was_set_last, |_fixture, values, update| {
    assert_eq!(values.get("x")?, None);
    assert!(!values.contains("x")?);
    for value in [
        json!(1),
        json!(null),
        json!("text"),
        json!([1, {"a": []}]),
        json!(1.5),
        json!(u64::MAX),
    ] {
        values.set("x", value.clone())?;
        assert_eq!(values.get("x")?, Some(value));
        assert!(values.contains("x")?);
    }
    let _ = update!("x", |_| ());
    Ok(())
});

on_session_and_namespace!(
    update_changes_in_place_beginning_with_the_default,
    |_fixture, values, update| {
        assert_eq!(
            update!(COUNT, |count| {
                *count += 1;
                *count
            })?,
            1
        );
        assert_eq!(
            update!(COUNT, |count| {
                *count += 1;
                *count
            })?,
            2
        );
        assert_eq!(values.get(COUNT)?, Some(2));
        Ok(())
    }
);

on_session_and_namespace!(get_or_insert_with_inserts_a_value_once, |_fixture, values, update| {
    let mut made = 0;
    for _ in 0..3 {
        let value = values.get_or_insert_with(COUNT, || {
            made += 1;
            7
        })?;
        assert_eq!(value, 7);
    }
    assert_eq!(made, 1);
    update!(COUNT, |count| *count += 1)?;
    assert_eq!(values.get_or_insert_with(COUNT, || 0)?, 8);
    Ok(())
});

on_session_and_namespace!(
    unset_removes_a_value_and_returns_whether_it_was_there,
    |_fixture, values, update| {
        assert!(!values.unset("x")?);
        values.set("x", json!(1))?;
        assert!(values.unset("x")?);
        assert!(!values.unset("x")?);
        assert_eq!(values.get("x")?, None);
        assert!(update!("x", |value| value.is_null())?);
        Ok(())
    }
);

on_session_and_namespace!(
    keys_are_in_the_order_in_which_they_were_first_set,
    |_fixture, values, update| {
        assert!(values.keys()?.is_empty());
        for name in ["b", "a", "c", "a", "b"] {
            values.set(name, json!(name))?;
        }
        assert_eq!(values.keys()?, ["b", "a", "c"]);
        values.unset("b")?;
        values.set("b", json!(1))?;
        update!("a", |value| *value = json!(2))?;
        assert_eq!(values.keys()?, ["a", "c", "b"]);
        Ok(())
    }
);

on_session_and_namespace!(any_text_is_a_name, |_fixture, values, update| {
    let names = ["", " ", "a.b", "a\0b", "\"", "ä€🦀", "user", "User"];
    for (index, name) in names.iter().enumerate() {
        values.set(*name, json!(index))?;
        values.set(&name.to_string(), json!(index))?;
        update!(&name.to_string(), |_| ())?;
    }
    assert_eq!(values.keys()?, names);
    for (index, name) in names.iter().enumerate() {
        assert_eq!(values.get(*name)?, Some(json!(index)));
    }
    Ok(())
});

on_session_and_namespace!(keys_and_the_whole_have_expirations, |_fixture, values, update| {
    values.set_with_expiration("a", json!(1), Expiration::After(SECOND))?;
    values.set("b", json!(2))?;
    assert!(values.set_key_expiration("b", Expiration::sliding(2 * SECOND))?);
    assert!(!values.set_key_expiration("none", Expiration::Never)?);
    values.set("c", json!(3))?;
    pass(SECOND).await;
    assert_eq!(values.keys()?, ["b", "c"]);
    pass(SECOND).await;
    assert_eq!(values.keys()?, ["c"]);
    values.set_expiration(Expiration::After(SECOND))?;
    update!("c", |value| *value = json!(4))?;
    pass(SECOND - ms(1)).await;
    assert_eq!(values.get("c")?, Some(json!(4)));
    Ok(())
});

on_session_and_namespace!(
    a_value_that_does_not_decode_is_an_error_that_names_it,
    |_fixture, values, update| {
        values.set("count", json!("many"))?;
        let expect = |result: Result<(), SessionError>| match result {
            Err(SessionError::Codec(error)) => assert_eq!(error.key(), "count"),
            other => panic!("not a codec error: {other:?}"),
        };
        expect(values.get(COUNT).map(drop));
        expect(values.get_or_insert_with(COUNT, || 1).map(drop));
        expect(update!(COUNT, |count| *count += 1));
        // Nothing was changed, and the value can still be read as another type.
        assert_eq!(values.get("count")?, Some(json!("many")));
        values.set(COUNT, 1)?;
        assert_eq!(values.get(COUNT)?, Some(1));
        Ok(())
    }
);

on_session_and_namespace!(
    a_value_that_does_not_encode_is_an_error_that_names_it,
    |_fixture, values, update| {
        const MAP: Key<Untyped, BTreeMap<(u8, u8), u8>> = Key::new("map");
        let unwritable = || BTreeMap::from([((1, 2), 3)]);
        let expect = |result: Result<(), SessionError>| match result {
            Err(SessionError::Codec(error)) => assert_eq!(error.key(), "map"),
            other => panic!("not a codec error: {other:?}"),
        };
        expect(values.set(MAP, unwritable()));
        expect(values.set_with_expiration(MAP, unwritable(), Expiration::Never));
        expect(values.get_or_insert_with(MAP, unwritable).map(drop));
        expect(update!(MAP, |map| *map = unwritable()));
        assert!(!values.contains(MAP)?);
        Ok(())
    }
);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Item {
    name: String,
    pieces: u32,
}

#[tokio::test(start_paused = true)]
async fn values_of_any_serde_type_survive_the_storage() -> Result<(), SessionError> {
    const ITEMS: Key<Untyped, Vec<Item>> = Key::new("items");
    const MAYBE: Key<Untyped, Option<u8>> = Key::new("maybe");
    const UNIT: Key<Untyped, ()> = Key::new("unit");
    const BORROWED: Key<Untyped, String> = Key::new("borrowed");
    let fixture = fixture();
    let session = &fixture.session;
    let item = || Item {
        name: "tea \"green\"\n".into(),
        pieces: 3,
    };
    let work = async {
        session.set(ITEMS, vec![item()])?;
        session.set(MAYBE, None)?;
        session.set(UNIT, ())?;
        session.set(BORROWED, "ä".repeat(100_000))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    let check = async {
        session.start_readonly().await?;
        assert_eq!(session.get(ITEMS)?, Some(vec![item()]));
        assert_eq!(session.get(MAYBE)?, Some(None));
        assert_eq!(session.get(UNIT)?, Some(()));
        assert_eq!(session.get(BORROWED)?, Some("ä".repeat(100_000)));
        assert_eq!(session.keys()?, ["items", "maybe", "unit", "borrowed"]);
        Ok(())
    };
    fixture.visit(id, check).await
}

/// Stores a record with the value `text`, which is malformed JSON, and the value `count`, which is well formed.
async fn with_a_broken_value(fixture: &Fixture) -> SessionId {
    let mut payload = vec![b'S', 1, 1, 0, 2];
    payload.extend(b"\x04text\x00\x05{oops");
    payload.extend(b"\x05count\x00\x017");
    payload.push(0);
    let id = unknown_id();
    let record = Record::new(Meta::new(fixture.now()), payload);
    fixture.storage.create(&id.key(), record).await.expect("the id is new");
    id
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_read_is_never_parsed() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = with_a_broken_value(&fixture).await;
    let work = async {
        assert_eq!(session.get(COUNT)?, Some(7));
        assert!(session.contains("text")?);
        assert_eq!(session.keys()?, ["text", "count"]);
        session.set(COUNT, 8)?;
        session.close().await?;
        // The commit wrote it back unchanged.
        session.start().await?;
        assert_eq!(session.get(COUNT)?, Some(8));
        assert_fails!(session.get("text"), SessionError::Codec(_));
        assert!(session.unset("text")?);
        Ok::<_, SessionError>(())
    };
    session.enter(id.clone().into(), work).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("count", json!(8))])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_separate_from_each_other_and_from_the_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let (one, two) = (session.namespace("one"), session.namespace("two"));
    let work = async {
        session.set("x", json!(0))?;
        one.set("x", json!(1))?;
        two.set("x", json!(2))?;
        assert_eq!(
            (session.get("x")?, one.get("x")?, two.get("x")?),
            (Some(json!(0)), Some(json!(1)), Some(json!(2)))
        );
        one.unset("x")?;
        assert_eq!(
            (session.get("x")?, one.get("x")?, two.get("x")?),
            (Some(json!(0)), None, Some(json!(2)))
        );
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    assert_eq!(fixture.shown(&id).await, Some(values([("x", json!(0))])));
    assert_eq!(
        fixture.shown_in(&id, Some("two")).await,
        Some(values([("x", json!(2))]))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_namespace_handle_refers_to_the_visit_in_which_it_is_used() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let cart = session.namespace("cart");
    let clone = cart.clone();
    assert_eq!((cart.name(), clone.name()), ("cart", "cart"));
    assert_fails!(cart.get("item"), SessionError::NotInitialised);
    let visit = async |item: u64| {
        let work = async {
            cart.set("item", json!(item))?;
            pass(ms(item)).await;
            assert_eq!(clone.get("item")?, Some(json!(item)));
            assert_eq!(session.namespace("cart").get("item")?, Some(json!(item)));
            Ok::<_, SessionError>(())
        };
        session.enter(Visit::new(), work).await
    };
    let (one, two) = tokio::join!(visit(1), visit(2));
    one.and(two)?;
    assert_fails!(cart.get("item"), SessionError::NotInitialised);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_another_session_does_not_refer_to_this_one() -> Result<(), SessionError> {
    let (one, two) = (fixture(), fixture());
    let foreign = two.session.namespace("n");
    let work = async {
        assert_fails!(foreign.set("x", json!(1)), SessionError::NotInitialised);
        Ok::<_, SessionError>(())
    };
    one.session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn destroying_a_namespace_removes_its_values_and_its_expiration() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let cart = session.namespace("cart");
    let fill = async {
        session.set("stays", json!(0))?;
        cart.set("x", json!(1))?;
        cart.set_with_expiration("y", json!(2), Expiration::After(MINUTE))?;
        cart.set_expiration(Expiration::After(MINUTE))?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), fill).await?.output;
    let destroy = async {
        assert!(cart.destroy()?);
        assert!(!cart.destroy()?);
        assert!(cart.keys()?.is_empty());
        assert_eq!(cart.get("x")?, None);
        cart.set("y", json!(3))
    };
    session.enter(id.clone().into(), destroy).await?;
    pass(2 * MINUTE).await;
    assert_eq!(fixture.shown(&id).await, Some(values([("stays", json!(0))])));
    assert_eq!(
        fixture.shown_in(&id, Some("cart")).await,
        Some(values([("y", json!(3))]))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_namespace_keeps_its_expiration_when_it_is_emptied() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let cart = session.namespace("cart");
    let work = async {
        cart.set("x", json!(1))?;
        cart.set_expiration(Expiration::After(MINUTE))?;
        cart.unset("x")?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    session
        .enter(id.clone().into(), async { cart.set("y", json!(2)) })
        .await?;
    pass(MINUTE - ms(1)).await;
    assert_eq!(
        fixture.shown_in(&id, Some("cart")).await,
        Some(values([("y", json!(2))]))
    );
    pass(ms(1)).await;
    assert_eq!(fixture.shown_in(&id, Some("cart")).await, Some(values([])));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn value_operations_neither_wait_nor_call_the_storage() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("x", json!(1))]).await;
    let work = async {
        fixture.calls.reset();
        let before = fixture.now();
        for _ in 0..100 {
            session.get("x")?;
            session.update(COUNT, |count| *count += 1)?;
            session.namespace("n").set("x", Value::Null)?;
            session.keys()?;
            session.unset("x")?;
        }
        fixture.calls.assert_none();
        assert_eq!(fixture.now(), before);
        Ok::<_, SessionError>(())
    };
    session.enter(id.into(), work).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Commit, 1)]);
    Ok(())
}

/// A key for a `String` takes any text, and an undeclared name takes anything that can be serialised.
#[tokio::test(start_paused = true)]
async fn values_are_set_without_conversions() -> Result<(), SessionError> {
    const NAME: Key<Untyped, String> = Key::new("name");
    const SMALL: Key<Untyped, u8> = Key::new("small");
    const LIST: Key<Untyped, Vec<u16>> = Key::new("list");
    const MAYBE: Key<Untyped, Option<u8>> = Key::new("maybe");
    const TEXT: Key<Untyped, &'static str> = Key::new("text");
    let fixture = fixture();
    let session = &fixture.session;
    let cart = session.namespace("cart");
    let owned = String::from("owned");
    let work = async {
        session.set(NAME, "text")?;
        session.set(NAME, &owned)?;
        session.set(NAME, std::borrow::Cow::Borrowed("text"))?;
        session.set(NAME, owned.clone())?;
        session.set_with_expiration(NAME, "text", Expiration::Never)?;
        // The key determines the type of literals, so they need no suffix.
        session.set(SMALL, 7)?;
        session.set(LIST, Vec::new())?;
        session.set(LIST, [1, 2].into_iter().collect())?;
        session.set(MAYBE, None)?;
        session.set(SMALL, "7".parse().expect("it is a number"))?;
        session.set(TEXT, "text")?;
        cart.set(NAME, "text")?;

        session.set("number", 1)?;
        session.set("text", "text")?;
        session.set("owned", owned.clone())?;
        session.set("borrowed", &owned)?;
        session.set("list", ["a", "b"])?;
        session.set("nothing", None::<u8>)?;
        session.set("json", json!({"a": 1}))?;
        session.set(
            &owned,
            Item {
                name: "tea".into(),
                pieces: 1,
            },
        )?;
        cart.set("number", 1)?;
        cart.set_with_expiration("text", "text", Expiration::Never)?;
        assert_eq!(session.get("list")?, Some(json!(["a", "b"])));
        assert_eq!(session.get("owned")?, Some(json!({"name": "tea", "pieces": 1})));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_transaction_needs_no_type_for_its_errors() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("count", json!(1))]).await;
    let work = async {
        session.start_readonly().await?;
        let count = session
            .transaction_exclusive(async || {
                let count = session.get(COUNT)?.unwrap_or_default() + 1;
                session.set(COUNT, count)?;
                Ok(count)
            })
            .await?;
        assert_eq!(count, 2);
        // An application with its own error type names it.
        let refused: Result<(), String> = session
            .try_transaction_exclusive(async || {
                session.set(COUNT, 9).map_err(|error| Failure::from(error).0)?;
                Err(Failure("refused".into()))
            })
            .await
            .map_err(|failure: Failure| failure.0);
        assert_eq!(refused, Err("refused".into()));
        assert_eq!(session.get(COUNT)?, Some(2));
        Ok(())
    };
    fixture.visit(id, work).await?;
    session.enter(Visit::new(), async { Ok(()) }).await?;
    let entered = session.try_enter(Visit::new(), async { Err::<(), _>(Failure("refused".into())) });
    assert_eq!(entered.await.map_err(|failure| failure.0), Err("refused".into()));
    Ok(())
}

#[derive(Debug)]
struct Failure(String);

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

on_session_and_namespace!(take_removes_a_value_and_returns_it, |_fixture, values, update| {
    assert_eq!(values.take(COUNT)?, None);
    values.set(COUNT, 7)?;
    values.set("other", 1)?;
    assert_eq!(values.take(COUNT)?, Some(7));
    assert_eq!(values.take(COUNT)?, None);
    assert_eq!(values.keys()?, ["other"]);
    values.set("count", "many")?;
    assert_fails!(values.take(COUNT), SessionError::Codec(_));
    assert_eq!(
        values.take("count")?,
        Some(json!("many")),
        "a value that cannot be decoded stays"
    );
    values.set_with_expiration(COUNT, 7, Expiration::After(SECOND))?;
    pass(SECOND).await;
    assert_eq!(values.take(COUNT)?, None);
    let _ = update!(COUNT, |count| *count);
    Ok(())
});

on_session_and_namespace!(expires_at_returns_the_end_of_a_value, |fixture, values, update| {
    let end = |duration| Some((fixture.now() + duration).into());
    assert_eq!(values.expires_at("x")?, None);
    values.set("x", 1)?;
    assert_eq!(values.expires_at("x")?, None);
    values.set_with_expiration("x", 1, Expiration::After(MINUTE))?;
    assert_eq!(values.expires_at("x")?, end(MINUTE));
    values.set_key_expiration("x", Expiration::sliding(2 * MINUTE))?;
    assert_eq!(values.expires_at("x")?, end(2 * MINUTE));
    values.set_key_expiration("x", Expiration::Transient)?;
    assert_eq!(values.expires_at("x")?, None);
    // Its session or namespace may end earlier.
    values.set_key_expiration("x", Expiration::After(MINUTE))?;
    values.set_expiration(Expiration::After(SECOND))?;
    assert_eq!(values.expires_at("x")?, end(SECOND));
    values.set_expiration(Expiration::After(2 * MINUTE))?;
    assert_eq!(values.expires_at("x")?, end(MINUTE));
    let _ = update!("x", |_| ());
    Ok(())
});

#[tokio::test(start_paused = true)]
async fn a_value_ends_with_its_stored_session() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored_as(Expiration::After(MINUTE), [("x", json!(1))]).await;
    let end = fixture.now() + MINUTE;
    pass(SECOND).await;
    let check = async {
        session.start_readonly().await?;
        assert_eq!(session.expires_at("x")?, Some(end.into()));
        assert_eq!(session.expires_at("none")?, None);
        Ok(())
    };
    fixture.visit(id, check).await
}

#[tokio::test(start_paused = true)]
async fn clear_removes_everything_but_the_session_itself() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let (cart, draft) = (session.namespace("cart"), session.namespace("draft"));
    let fill = async {
        session.set("x", 1)?;
        cart.set("y", 2)?;
        draft.set("z", 3)?;
        draft.set_expiration(Expiration::After(MINUTE))?;
        session.set_expiration(Expiration::After(10 * MINUTE))?;
        assert_eq!(session.namespaces()?, ["cart", "draft"]);
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), fill).await?.output;
    let clear_one = async {
        assert_eq!(session.namespaces()?, ["cart", "draft"]);
        draft.clear()?;
        assert!(draft.keys()?.is_empty());
        assert_eq!(session.keys()?, ["x"]);
        draft.set("w", 4)
    };
    session.enter(id.clone().into(), clear_one).await?;
    assert_eq!(
        fixture.shown_in(&id, Some("draft")).await,
        Some(values([("w", json!(4))]))
    );
    pass(MINUTE).await;
    assert_eq!(
        fixture.shown_in(&id, Some("draft")).await,
        Some(values([])),
        "it has kept its expiration"
    );
    fixture.calls.reset();
    let clear = async {
        session.clear()?;
        assert!(session.keys()?.is_empty() && session.namespaces()?.is_empty());
        assert_eq!(cart.get("y")?, None);
        Ok(())
    };
    session.enter(id.clone().into(), clear).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
    assert_eq!(fixture.shown(&id).await, Some(values([])));
    assert!(
        session
            .enter(id.clone().into(), async { session.clear() })
            .await
            .is_ok()
    );
    assert_eq!(
        fixture.calls.take(),
        [(Operation::Lock, 1), (Operation::Release, 1)],
        "nothing was there"
    );
    pass(9 * MINUTE).await;
    assert_eq!(fixture.shown(&id).await, None, "it has kept its expiration");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn upgrading_from_reading_to_writing_takes_one_call() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("x", json!(1))]).await;
    let work = async {
        session.start_readonly().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Read, 1)]);
        session.start().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Lock, 1)]);
        session.set("x", 2)?;
        session.close().await?;
        assert_eq!(fixture.calls.take(), [(Operation::Commit, 1)]);
        session.transaction_exclusive(async || session.set("x", 3)).await?;
        assert_eq!(fixture.calls.take(), [(Operation::Lock, 1), (Operation::Commit, 1)]);
        Ok(())
    };
    fixture.visit(id, work).await
}
