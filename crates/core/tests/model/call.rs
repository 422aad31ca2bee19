//! Calls on sessions, as data.

use std::time::Duration;

use proptest::prelude::*;
use sessile_core::{Expiration, Timestamp};

/// An expiration, in milliseconds relative to the call that sets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ExpirationSpec {
    Never,
    Transient,
    At(u64),
    After(u64),
    Sliding {
        window: u64,
        until: Option<u64>,
        at_most: Option<u64>,
        transient: bool,
    },
}

impl ExpirationSpec {
    pub(crate) fn expiration(self, now: u64) -> Expiration {
        let date = |after| Timestamp::from_millis(now + after).into();
        match self {
            Self::Never => Expiration::Never,
            Self::Transient => Expiration::Transient,
            Self::At(after) => Expiration::At(date(after)),
            Self::After(after) => Expiration::After(Duration::from_millis(after)),
            Self::Sliding {
                window,
                until,
                at_most,
                transient,
            } => {
                let mut sliding = Expiration::sliding(Duration::from_millis(window));
                if let Some(after) = until {
                    sliding = sliding.until(date(after));
                }
                if let Some(after) = at_most {
                    sliding = sliding.at_most(Duration::from_millis(after));
                }
                if transient {
                    sliding = sliding.or_transient();
                }
                sliding.into()
            }
        }
    }
}

/// The scope of a value: the session itself or one of two namespaces.
pub(crate) type Scope = Option<&'static str>;

pub(crate) const SCOPES: [Scope; 3] = [None, Some("n"), Some("m")];

/// The scope and the name of a value.
pub(crate) type Slot = (Scope, &'static str);

/// The id that a visit comes with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Carried {
    /// No id.
    None,
    /// An id that existed at some time, counted from the latest.
    Known(usize),
    /// An id that never existed.
    Unknown,
}

/// The end of a visit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    Close,
    Release,
    Drop,
}

/// One call. Up to three visits are open at a time, identified by number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    Wait(u64),
    Open {
        visit: usize,
        carried: Carried,
        strict: bool,
        restarted: bool,
    },
    Start(usize),
    StartReadonly(usize),
    Set(usize, Slot, u64),
    SetWith(usize, Slot, u64, ExpirationSpec),
    Unset(usize, Slot),
    SetKeyExpiration(usize, Slot, ExpirationSpec),
    SetExpiration(usize, Scope, ExpirationSpec),
    DestroyNamespace(usize, &'static str),
    Update(usize, Slot, u64),
    RegenerateId(usize),
    Close(usize),
    Release(usize),
    Destroy(usize),
    End(usize, Ending),
}

/// The number of visits. The first is used more than the second, and the second more than the third.
pub(crate) const VISITS: usize = 3;

fn millis() -> impl Strategy<Value = u64> {
    let few = prop::sample::select(vec![1_000u64, 5_000, 5_000, 10_000, 10_000, 20_000, 60_000, 600_000]);
    (few, prop::sample::select(vec![-1i64, 0, 0, 1])).prop_map(|(few, more)| few.saturating_add_signed(more))
}

fn waits() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(1), 1 => Just(500), 4 => millis(), 2 => 1u64..30_000]
}

/// Returns expirations of values and namespaces.
fn specs() -> impl Strategy<Value = ExpirationSpec> {
    let limits = || prop::option::weighted(0.3, millis());
    prop_oneof![
        1 => Just(ExpirationSpec::Never),
        2 => Just(ExpirationSpec::Transient),
        1 => millis().prop_map(ExpirationSpec::At),
        2 => millis().prop_map(ExpirationSpec::After),
        6 => (millis(), limits(), limits()).prop_map(|(window, until, at_most)| ExpirationSpec::Sliding {
            window, until, at_most, transient: false
        }),
    ]
}

/// Returns expirations of sessions.
fn session_specs() -> impl Strategy<Value = ExpirationSpec> {
    (specs(), prop::bool::weighted(0.2)).prop_map(|(spec, ends_with_window)| match spec {
        ExpirationSpec::Sliding {
            window, until, at_most, ..
        } => ExpirationSpec::Sliding {
            window,
            until,
            at_most,
            transient: ends_with_window,
        },
        other => other,
    })
}

/// Returns default expirations: those of sessions, but without dates, which would pass during the test.
pub(crate) fn defaults() -> impl Strategy<Value = ExpirationSpec> {
    session_specs().prop_map(|spec| match spec {
        ExpirationSpec::At(after) => ExpirationSpec::After(after),
        ExpirationSpec::Sliding {
            window,
            until,
            transient,
            ..
        } => ExpirationSpec::Sliding {
            window,
            until: None,
            at_most: until,
            transient,
        },
        other => other,
    })
}

pub(crate) fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), 1..80)
}

fn call() -> impl Strategy<Value = Call> {
    let visit = || prop_oneof![6 => Just(0usize), 3 => Just(1), 1 => Just(2)];
    let slots = || {
        (
            prop::sample::select(SCOPES.to_vec()),
            prop::sample::select(vec!["a", "b"]),
        )
    };
    let carried = prop_oneof![
        2 => Just(Carried::None),
        9 => (0usize..3).prop_map(Carried::Known),
        1 => Just(Carried::Unknown),
    ];
    let opening = (visit(), carried, prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let endings = prop_oneof![4 => Just(Ending::Close), 1 => Just(Ending::Release), 1 => Just(Ending::Drop)];
    let namespaces = prop::sample::select(vec!["n", "m"]);
    prop_oneof![
        9 => waits().prop_map(Call::Wait),
        6 => opening.prop_map(|(visit, carried, strict, restarted)| Call::Open { visit, carried, strict, restarted }),
        8 => visit().prop_map(Call::Start),
        6 => visit().prop_map(Call::StartReadonly),
        6 => (visit(), slots(), 0u64..4).prop_map(|(visit, slot, value)| Call::Set(visit, slot, value)),
        6 => (visit(), slots(), 0u64..4, specs())
            .prop_map(|(visit, slot, value, spec)| Call::SetWith(visit, slot, value, spec)),
        2 => (visit(), slots()).prop_map(|(visit, slot)| Call::Unset(visit, slot)),
        2 => (visit(), slots(), specs()).prop_map(|(visit, slot, spec)| Call::SetKeyExpiration(visit, slot, spec)),
        2 => (visit(), specs()).prop_map(|(visit, spec)| Call::SetExpiration(visit, Some("n"), spec)),
        2 => (visit(), session_specs()).prop_map(|(visit, spec)| Call::SetExpiration(visit, None, spec)),
        1 => (visit(), namespaces).prop_map(|(visit, name)| Call::DestroyNamespace(visit, name)),
        4 => (visit(), slots(), 0u64..4).prop_map(|(visit, slot, value)| Call::Update(visit, slot, value)),
        1 => visit().prop_map(Call::RegenerateId),
        5 => visit().prop_map(Call::Close),
        2 => visit().prop_map(Call::Release),
        1 => visit().prop_map(Call::Destroy),
        2 => (visit(), endings).prop_map(|(visit, ending)| Call::End(visit, ending)),
    ]
}
