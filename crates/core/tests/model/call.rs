//! What can be done with sessions, as data.

use std::time::Duration;

use proptest::prelude::*;
use sessile_core::{Expiration, Timestamp};

/// An expiration, in milliseconds from when it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
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

impl Form {
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

/// Where a value stands: in the session itself or in one of two namespaces.
pub(crate) type Place = Option<&'static str>;

pub(crate) const PLACES: [Place; 3] = [None, Some("n"), Some("m")];

/// A value: where it stands, and its name.
pub(crate) type Spot = (Place, &'static str);

/// With which id a visit comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whom {
    /// With none.
    Nobody,
    /// With one that there once was, counted from the latest.
    Somebody(usize),
    /// With one that never was.
    Stranger,
}

/// How a visit ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    Close,
    Release,
    Drop,
}

/// One call. Up to three visits are open at a time, by number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    Wait(u64),
    Open {
        visit: usize,
        whom: Whom,
        strict: bool,
        restarted: bool,
    },
    Start(usize),
    StartReadonly(usize),
    Set(usize, Spot, u64),
    SetWith(usize, Spot, u64, Form),
    Unset(usize, Spot),
    SetKeyExpiration(usize, Spot, Form),
    SetExpiration(usize, Place, Form),
    DestroyNamespace(usize, &'static str),
    Update(usize, Spot, u64),
    RegenerateId(usize),
    Close(usize),
    Release(usize),
    Destroy(usize),
    End(usize, Way),
}

pub(crate) const VISITS: usize = 3;

fn millis() -> impl Strategy<Value = u64> {
    let few = prop::sample::select(vec![1_000u64, 2_000, 5_000, 10_000, 20_000, 60_000, 600_000]);
    (few, prop::sample::select(vec![-1i64, 0, 0, 1])).prop_map(|(few, more)| few.saturating_add_signed(more))
}

fn waits() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1), Just(500), millis(), 1u64..30_000]
}

/// Expirations of values and namespaces.
fn forms() -> impl Strategy<Value = Form> {
    let limits = || prop::option::weighted(0.3, millis());
    prop_oneof![
        1 => Just(Form::Never),
        2 => Just(Form::Transient),
        1 => millis().prop_map(Form::At),
        2 => millis().prop_map(Form::After),
        6 => (millis(), limits(), limits()).prop_map(|(window, until, at_most)| Form::Sliding {
            window, until, at_most, transient: false
        }),
    ]
}

/// Expirations of sessions.
fn session_forms() -> impl Strategy<Value = Form> {
    (forms(), prop::bool::weighted(0.2)).prop_map(|(form, ends_with_window)| match form {
        Form::Sliding {
            window, until, at_most, ..
        } => Form::Sliding {
            window,
            until,
            at_most,
            transient: ends_with_window,
        },
        other => other,
    })
}

/// Defaults: as sessions have, but no dates, which have passed by the time.
pub(crate) fn defaults() -> impl Strategy<Value = Form> {
    session_forms().prop_map(|form| match form {
        Form::At(after) => Form::After(after),
        Form::Sliding {
            window,
            until,
            transient,
            ..
        } => Form::Sliding {
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
    let visit = || 0..VISITS;
    let spots = || {
        (
            prop::sample::select(PLACES.to_vec()),
            prop::sample::select(vec!["a", "b"]),
        )
    };
    let whom = prop_oneof![
        2 => Just(Whom::Nobody),
        9 => (0usize..3).prop_map(Whom::Somebody),
        1 => Just(Whom::Stranger),
    ];
    let opening = (visit(), whom, prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let ways = prop_oneof![4 => Just(Way::Close), 1 => Just(Way::Release), 1 => Just(Way::Drop)];
    let namespaces = prop::sample::select(vec!["n", "m"]);
    prop_oneof![
        8 => waits().prop_map(Call::Wait),
        9 => opening.prop_map(|(visit, whom, strict, restarted)| Call::Open { visit, whom, strict, restarted }),
        8 => visit().prop_map(Call::Start),
        6 => visit().prop_map(Call::StartReadonly),
        6 => (visit(), spots(), 0u64..4).prop_map(|(visit, spot, value)| Call::Set(visit, spot, value)),
        6 => (visit(), spots(), 0u64..4, forms())
            .prop_map(|(visit, spot, value, form)| Call::SetWith(visit, spot, value, form)),
        2 => (visit(), spots()).prop_map(|(visit, spot)| Call::Unset(visit, spot)),
        2 => (visit(), spots(), forms()).prop_map(|(visit, spot, form)| Call::SetKeyExpiration(visit, spot, form)),
        2 => (visit(), forms()).prop_map(|(visit, form)| Call::SetExpiration(visit, Some("n"), form)),
        2 => (visit(), session_forms()).prop_map(|(visit, form)| Call::SetExpiration(visit, None, form)),
        1 => (visit(), namespaces).prop_map(|(visit, name)| Call::DestroyNamespace(visit, name)),
        4 => (visit(), spots(), 0u64..4).prop_map(|(visit, spot, value)| Call::Update(visit, spot, value)),
        1 => visit().prop_map(Call::RegenerateId),
        5 => visit().prop_map(Call::Close),
        2 => visit().prop_map(Call::Release),
        1 => visit().prop_map(Call::Destroy),
        4 => (visit(), ways).prop_map(|(visit, way)| Call::End(visit, way)),
    ]
}
