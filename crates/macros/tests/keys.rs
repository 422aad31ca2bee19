//! The names and options of declared keys.

// The default path of the derives is `::sessile`.
extern crate sessile_core as sessile;

use std::sync::Arc;

use serde_json::{Value, json};
use sessile::ValueKey;
use sessile::{
    DAY, Expiration, HOUR, Key, MINUTE, NamespaceKey, Namespaces, Session, SessionError, Untyped, Values, Visit,
};
use sessile_memory::MemoryStorage;

#[derive(Values)]
struct Account {
    user_id: u64,
    r#type: String,
    #[session(rename = "Ünïque name")]
    renamed: Vec<u8>,
    optional: Option<Box<Account>>,
}

#[test]
fn a_field_becomes_a_constant_key() {
    const USER: Key<Account, u64> = Account::USER_ID;
    assert_eq!(USER.name(), "user_id");
    assert_eq!(USER.default_expiration(), None);

    let _: Key<Account, Option<Box<Account>>> = Account::OPTIONAL;
    assert_eq!(Account::OPTIONAL.name(), "optional");
}

#[test]
fn a_raw_identifier_is_named_without_its_prefix() {
    let key: Key<Account, String> = Account::TYPE;
    assert_eq!(key.name(), "type");
}

#[test]
fn a_field_can_be_renamed() {
    let key: Key<Account, Vec<u8>> = Account::RENAMED;
    assert_eq!(key.name(), "Ünïque name");
}

#[test]
fn keys_name_the_values_of_their_declaration() {
    fn name<V, K: ValueKey<V>>(key: K) -> String {
        key.name().to_owned()
    }
    assert_eq!(name::<Account, _>(Account::USER_ID), "user_id");
}

/// Declares a struct for each case, and checks the names of its keys.
macro_rules! cases {
    ($($case:literal => $first:literal, $second:literal;)*) => {$({
        #[derive(Values)]
        #[session(rename_all = $case)]
        struct Cases {
            last_seen_at: u64,
            r#move: u64,
            #[session(rename = "as_it_is")]
            kept: u64,
        }
        assert_eq!(Cases::LAST_SEEN_AT.name(), $first);
        assert_eq!(Cases::MOVE.name(), $second);
        assert_eq!(Cases::KEPT.name(), "as_it_is");
    })*};
}

#[test]
fn all_fields_can_be_renamed_to_a_case() {
    cases! {
        "snake_case" => "last_seen_at", "move";
        "camelCase" => "lastSeenAt", "move";
        "PascalCase" => "LastSeenAt", "Move";
        "kebab-case" => "last-seen-at", "move";
        "SCREAMING_SNAKE_CASE" => "LAST_SEEN_AT", "MOVE";
    }
}

fn an_hour() -> Expiration {
    Expiration::After(HOUR)
}

#[derive(Values)]
struct Expiring {
    #[session(expiration = Expiration::After(5 * MINUTE))]
    plain: u64,
    #[session(expiration = Expiration::sliding(20 * MINUTE).at_most(12 * HOUR))]
    converted: u64,
    #[session(expiration = an_hour())]
    called: u64,
    #[session(expiration = { let minutes = 3; Expiration::After(minutes * MINUTE) })]
    #[session(rename = "b")]
    block: u64,
    #[session(rename = "m", expiration = if cfg!(test) { Expiration::Transient } else { Expiration::Never })]
    chosen: u64,
    #[session(expiration = Self::limit())]
    own: u64,
}

impl Expiring {
    fn limit() -> Expiration {
        Self::PLAIN.default_expiration().expect("it is declared above")
    }
}

#[test]
fn an_expiration_is_any_expression_that_becomes_one() {
    let five = Some(Expiration::After(5 * MINUTE));
    assert_eq!(Expiring::PLAIN.default_expiration(), five);
    let sliding = Expiration::sliding(20 * MINUTE).at_most(12 * HOUR);
    assert_eq!(Expiring::CONVERTED.default_expiration(), Some(sliding.into()));
    assert_eq!(Expiring::CALLED.default_expiration(), Some(an_hour()));
    assert_eq!(
        Expiring::BLOCK.default_expiration(),
        Some(Expiration::After(3 * MINUTE))
    );
    assert_eq!(Expiring::BLOCK.name(), "b");
    assert_eq!(Expiring::CHOSEN.default_expiration(), Some(Expiration::Transient));
    assert_eq!(Expiring::CHOSEN.name(), "m");
    assert_eq!(Expiring::OWN.default_expiration(), five);
}

#[derive(Values)]
struct Changed {
    #[session(alias = "uid", alias = "user", rename = "user_id")]
    user: u64,
    #[session(on_mismatch = "fail")]
    strict: u64,
    #[session(on_mismatch = "unset")]
    lenient: u64,
    #[session(on_mismatch = "default", migrate = |old| Some(vec![old.as_u64()?]))]
    renewed: Vec<u64>,
}

/// Reads a key in a session that holds some JSON under this name.
async fn read<T: serde::de::DeserializeOwned>(
    key: Key<Changed, T>,
    name: &'static str,
    json: Value,
) -> Result<Option<T>, SessionError> {
    let storage = Arc::new(MemoryStorage::new());
    let untyped: Session = Session::builder(Arc::clone(&storage)).build();
    let id = untyped.enter(Visit::new(), async {
        untyped.set(name, json)?;
        untyped.close().await?;
        untyped.id().ok_or(SessionError::Gone)
    });
    let typed: Session<Untyped, Changed> = Session::builder(storage).build();
    let id = id.await?.output;
    Ok(typed.enter(Visit::from(id), async { typed.get(key) }).await?.output)
}

#[tokio::test]
async fn aliases_policies_and_migrations_apply_to_stored_values() -> Result<(), SessionError> {
    assert_eq!(Changed::USER.name(), "user_id");
    for name in ["user_id", "uid", "user"] {
        assert_eq!(read(Changed::USER, name, json!(7)).await?, Some(7), "{name}");
    }
    assert!(matches!(
        read(Changed::STRICT, "strict", json!("x")).await,
        Err(SessionError::Codec(_))
    ));
    assert!(matches!(
        read(Changed::USER, "user", json!("x")).await,
        Err(SessionError::Codec(_))
    ));
    assert_eq!(read(Changed::LENIENT, "lenient", json!("x")).await?, None);
    assert_eq!(read(Changed::RENEWED, "renewed", json!(true)).await?, Some(Vec::new()));
    assert_eq!(read(Changed::RENEWED, "renewed", json!(7)).await?, Some(vec![7]));
    Ok(())
}

#[derive(Values)]
struct Migrated {
    #[session(migrate = |old| Some(old.as_str()?.len()))]
    closure: usize,
    #[session(migrate = Self::length)]
    function: usize,
}

impl Migrated {
    fn length(old: Value) -> Option<usize> {
        old.as_str().map(str::len)
    }
}

#[tokio::test]
async fn a_migration_is_a_function_or_a_closure() -> Result<(), SessionError> {
    let session: Session<Untyped, Migrated> = Session::builder(MemoryStorage::new()).build();
    session
        .enter(Visit::new(), async {
            assert_eq!(session.get(Migrated::CLOSURE)?, None);
            assert_eq!(session.get(Migrated::FUNCTION)?, None);
            Ok(())
        })
        .await?;
    Ok(())
}

#[derive(Namespaces)]
#[session(rename_all = "camelCase")]
struct Shop {
    #[session(expiration = Expiration::After(30 * DAY))]
    user_account: Account,
    #[session(rename = "etc")]
    rest: Untyped,
}

#[test]
fn a_field_becomes_a_constant_namespace_key() {
    const ACCOUNT: NamespaceKey<Shop, Account> = Shop::USER_ACCOUNT;
    assert_eq!(ACCOUNT.name(), "userAccount");
    assert_eq!(ACCOUNT.default_expiration(), Some(Expiration::After(30 * DAY)));
    let rest: NamespaceKey<Shop, Untyped> = Shop::REST;
    assert_eq!(rest.name(), "etc");
    assert_eq!(rest.default_expiration(), None);
}

/// The expansion does not depend on names in scope.
mod hygiene {
    #![allow(non_camel_case_types, non_upper_case_globals, dead_code, unused_macros)]

    pub(super) struct Key;
    struct NamespaceKey;
    struct Into;
    pub(super) struct u64;
    pub(super) struct bool;
    mod core {}
    mod std {}
    mod sessile_core {}
    mod sessile {}
    const field_0: () = ();
    const declaration: () = ();
    const declared: () = ();

    #[derive(::sessile::Values)]
    pub(super) struct Odd {
        #[session(expiration = ::sessile::Expiration::Never)]
        pub(super) field_0: u64,
        pub(super) declaration: bool,
        pub(super) declared: (),
        pub(super) name: Key,
    }

    #[derive(::sessile::Namespaces)]
    pub(super) struct Odds {
        pub(super) odd: Odd,
    }
}

#[test]
fn the_expansion_depends_on_no_name_in_scope() {
    assert_eq!(hygiene::Odd::FIELD_0.name(), "field_0");
    assert_eq!(hygiene::Odds::ODD.name(), "odd");
}
