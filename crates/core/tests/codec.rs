//! Values that cannot be encoded or decoded, and the content of the errors.

mod common;

use std::collections::BTreeMap;
use std::error::Error;

use common::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sessile_core::{CodecError, CodecReason, Key, OnMismatch, SessionError, Untyped, Visit};
use sessile_testkit::Operation;

const NUMBER: Key<Untyped, f64> = Key::new("number");

#[track_caller]
fn codec<T: std::fmt::Debug>(result: Result<T, SessionError>) -> CodecError {
    match result {
        Err(SessionError::Codec(error)) => error,
        other => panic!("not a codec error: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_could_not_be_decoded_again_is_refused_when_it_is_set() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let deep = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let work = async {
        session.set(NUMBER, 1.5)?;
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(codec(session.set(NUMBER, number)).reason(), CodecReason::NotFinite);
            assert_eq!(codec(session.set("number", number)).reason(), CodecReason::NotFinite);
            let changed = session.update(NUMBER, |stored| *stored = number);
            assert_eq!(codec(changed).reason(), CodecReason::NotFinite);
        }
        assert_eq!(session.get(NUMBER)?, Some(1.5), "nothing was changed");

        session.set("deep", deep(127))?;
        assert_eq!(session.get("deep")?, Some(deep(127)));
        assert_eq!(codec(session.set("deep", deep(128))).reason(), CodecReason::TooDeep);
        let made = session.get_or_insert_with("deeper", || deep(128));
        assert_eq!(codec(made).reason(), CodecReason::TooDeep);
        assert_eq!(session.keys()?, ["number", "deep"]);

        let map = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(codec(session.set("map", map)).reason(), CodecReason::Unwritable);
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

const SECRET: &str = "hunter2-refresh-token";

/// A type whose errors quote its value, as those of many types do.
#[derive(Debug)]
struct Quoting;

impl Serialize for Quoting {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format!("`{SECRET}` is refused")))
    }
}

impl<'de> Deserialize<'de> for Quoting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(serde::de::Error::custom(format!("`{text}` is refused")))
    }
}

#[track_caller]
fn assert_silent(error: &SessionError) {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        shown += &format!("{error} {error:?} {error:#?}");
        source = error.source();
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("`token`") && shown.contains("`vault`"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn errors_name_session_namespace_and_key_but_do_not_show_the_value() -> Result<(), SessionError> {
    const TOKEN: Key<Untyped, u64> = Key::new("token");
    const QUOTING: Key<Untyped, Quoting> = Key::new("token");
    let fixture = fixture();
    let session = &fixture.session;
    let vault = session.namespace("vault");
    let work = async {
        let new = vault.set(QUOTING, Quoting).expect_err("it refuses");
        assert_silent(&new);
        assert_eq!(codec::<()>(Err(new)).session(), None, "it is not stored yet");
        vault.set("token", SECRET)?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    let id = session.enter(Visit::new(), work).await?.output;
    let check = async {
        let errors = [
            vault.get(TOKEN).map(drop),
            vault.get(QUOTING).map(drop),
            vault.take(TOKEN).map(drop),
            vault.update(TOKEN, |_| ()),
            vault.get_or_insert_with(TOKEN, || 1).map(drop),
            vault.set(QUOTING, Quoting),
        ];
        for result in errors {
            let error = result.expect_err("it is a text");
            assert_silent(&error);
            let error = codec::<()>(Err(error));
            assert_eq!((error.namespace(), error.key()), (Some("vault"), "token"));
            assert_eq!(error.session(), Some(&id.key()));
            assert!(
                error.to_string().contains(&id.key().fingerprint().to_string()),
                "{error}"
            );
            assert!(error.source().is_none(), "an error of serde may quote the value");
        }
        let CodecReason::Mismatch { line, column } = codec(vault.get(TOKEN)).reason() else {
            panic!("it is JSON of another type")
        };
        assert_eq!((line, column), (1, SECRET.len() + 2));
        assert_eq!(vault.get("token")?, Some(json!(SECRET)), "the value is unchanged");
        Ok(())
    };
    session.enter(id.clone().into(), check).await?;
    Ok(())
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: Vec<String>,
}

/// A value that used to be a string.
const FAILS: Key<Untyped, Cart> = Key::new("cart");
const UNSET: Key<Untyped, Cart> = FAILS.on_mismatch(OnMismatch::Unset);
const DEFAULT: Key<Untyped, Cart> = FAILS.on_mismatch(OnMismatch::Default(|| one("gift")));
const MIGRATED: Key<Untyped, Cart> = FAILS.migrate(|old| match old {
    Value::String(item) if item == "tea" => Some(one("tea")),
    _ => None,
});

fn one(item: &str) -> Cart {
    Cart {
        items: vec![item.to_owned()],
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_of_another_type_is_handled_as_its_key_declares() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("cart", json!("tea"))]).await;
    let check = async {
        session.start_readonly().await?;
        codec(session.get(FAILS));
        assert_eq!(session.get(UNSET)?, None);
        assert_eq!(session.get(DEFAULT)?, Some(one("gift")));
        assert_eq!(session.get(MIGRATED)?, Some(one("tea")));
        assert!(session.contains(UNSET)?, "it is there, although of another type");
        assert_eq!(session.get("cart")?, Some(json!("tea")), "reading changes nothing");
        Ok(())
    };
    fixture.visit(id.clone(), check).await?;
    assert_eq!(fixture.shown(&id).await, Some(values([("cart", json!("tea"))])));

    for (key, changed) in [
        (UNSET, json!(["more"])),
        (DEFAULT, json!(["gift", "more"])),
        (MIGRATED, json!(["tea", "more"])),
    ] {
        let id = fixture.stored([("cart", json!("tea"))]).await;
        let work = async { session.update(key, |cart| cart.items.push("more".into())) };
        session.enter(id.clone().into(), work).await?;
        assert_eq!(
            fixture.shown(&id).await,
            Some(values([("cart", json!({"items": changed}))]))
        );
    }
    for (key, made) in [(UNSET, "new"), (DEFAULT, "gift"), (MIGRATED, "tea")] {
        let id = fixture.stored([("cart", json!("tea"))]).await;
        let work = async { session.get_or_insert_with(key, || one("new")) };
        assert_eq!(session.enter(id.clone().into(), work).await?.output, one(made));
    }
    for (key, taken, left) in [
        (UNSET, None, true),
        (DEFAULT, Some("gift"), false),
        (MIGRATED, Some("tea"), false),
    ] {
        let id = fixture.stored([("cart", json!("tea"))]).await;
        let work = async {
            assert_eq!(session.take(key)?, taken.map(one));
            session.contains(key)
        };
        assert_eq!(session.enter(id.clone().into(), work).await?.output, left);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_migrated_is_a_mismatch() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.set("cart", 5)?;
        codec(session.get(MIGRATED));
        assert_eq!(session.get(MIGRATED.on_mismatch(OnMismatch::Unset))?, None);
        session.set("cart", one("coffee"))?;
        assert_eq!(
            session.get(MIGRATED)?,
            Some(one("coffee")),
            "a value of the right type is not migrated"
        );
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

/// The functions of a key that handle a mismatch may use the session.
#[tokio::test(start_paused = true)]
async fn nothing_is_locked_while_a_mismatch_is_handled() -> Result<(), SessionError> {
    fn use_session() -> Cart {
        let session: Option<sessile_core::Session> = sessile_core::Session::current();
        let session = session.expect("it runs in a visit");
        session.set("used", true).expect("it is writable");
        Cart::default()
    }
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        session.set("cart", 5)?;
        session.get(FAILS.on_mismatch(OnMismatch::Default(use_session)))?;
        session.update(FAILS.migrate(|_| Some(use_session())), |_| ())?;
        assert_eq!(session.get("used")?, Some(json!(true)));
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}

const RENAMED: Key<Untyped, u64> = Key::new("user").aliases(&["user_id", "uid"]);

#[tokio::test(start_paused = true)]
async fn a_value_is_found_under_its_former_names() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let id = fixture.stored([("uid", json!(7)), ("other", json!(1))]).await;
    let check = async {
        session.start_readonly().await?;
        assert_eq!(session.get(RENAMED)?, Some(7));
        assert!(session.contains(RENAMED)?);
        Ok(())
    };
    fixture.visit(id.clone(), check).await?;
    assert_eq!(fixture.calls.take(), [(Operation::Read, 1)], "reading writes nothing");
    let work = async { session.update(RENAMED, |user| *user += 1) };
    session.enter(id.clone().into(), work).await?;
    let shown = fixture.shown_in_order(&id, None).await;
    assert_eq!(shown, Some(vec![("user".into(), json!(8)), ("other".into(), json!(1))]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_renamed_value_never_comes_back_under_a_former_name() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let work = async {
        // Both names are stored, as after a write by an older server. The current name comes first.
        session.set("uid", 1)?;
        session.set("user_id", 2)?;
        assert_eq!(session.get(RENAMED)?, Some(2), "in the order of the names");
        session.set("user", 3)?;
        assert_eq!(session.get(RENAMED)?, Some(3));
        session.set(RENAMED, 4)?;
        assert_eq!(session.keys()?, ["user"]);

        session.set("uid", 1)?;
        assert!(session.unset(RENAMED)?);
        assert_eq!(session.get(RENAMED)?, None);
        assert!(session.keys()?.is_empty());

        session.set("uid", 5)?;
        assert_eq!(session.take(RENAMED)?, Some(5));
        assert!(session.keys()?.is_empty());

        // The value keeps its expiration under its new name, and does not come back after its end.
        session.set_with_expiration("uid", 6, sessile_core::Expiration::After(secs(10)))?;
        session.set(RENAMED, 7)?;
        assert!(session.expires_at(RENAMED)?.is_some());
        pass(secs(10)).await;
        assert_eq!(session.get(RENAMED)?, None);
        session.set("uid", 8)?;
        assert!(session.set_key_expiration(RENAMED, sessile_core::Expiration::After(secs(1)))?);
        pass(secs(1)).await;
        assert!(!session.contains(RENAMED)?);
        Ok(())
    };
    session.enter(Visit::new(), work).await?;
    Ok(())
}
