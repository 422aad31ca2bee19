//! Sessions that are bound to a visit, and views of sessions without their types.

// Helpers may unwrap, too: in a test that is an assertion.
#![allow(clippy::unwrap_used)]

use std::thread;

use sessile_core::{Handle, Key, Namespaces, Session, SessionError, Untyped, Values, Visit, Visits};
use sessile_memory::MemoryStorage;

const COUNT: Key<Untyped, u64> = Key::new("count");

fn session() -> Session {
    Session::builder(MemoryStorage::new()).build()
}

#[tokio::test]
async fn a_bound_session_means_its_visit_wherever_it_is_used() {
    let session = session();
    let inside = session.enter(Visit::new(), async {
        let bound = session.bind()?;
        let cart = bound.namespace("cart");
        let other_session = thread::spawn(move || {
            assert!(bound.is_initialised() && bound.is_writable());
            bound.set(COUNT, 7)?;
            cart.set("item", "tea")?;
            bound.namespace("cart").set("other", "milk")
        });
        other_session.join().unwrap()?;
        assert_eq!(session.get(COUNT)?, Some(7));
        assert_eq!(session.namespace("cart").keys()?, ["item", "other"]);
        Ok::<_, SessionError>(())
    });
    inside.await.unwrap();
    assert!(matches!(session.get(COUNT), Err(SessionError::NotInitialised)));
}

/// A bound session keeps its visit, regardless of the visit of the running task.
#[tokio::test]
async fn a_bound_session_does_not_mean_another_visit() {
    let session = session();
    let outer = session.enter(Visit::new(), async {
        session.set(COUNT, 1)?;
        let bound = session.bind()?;
        let again = bound.init(Visit::new(), async {}).await;
        assert!(matches!(again, Err(SessionError::AlreadyInitialised)));
        let other = session.clone();
        let inner = async move {
            other
                .enter(Visit::new(), async {
                    bound.set(COUNT, 2)?;
                    assert_eq!(other.get(COUNT)?, None);
                    Ok::<_, SessionError>(())
                })
                .await
        };
        tokio::spawn(inner).await.unwrap()?;
        assert_eq!(session.get(COUNT)?, Some(2));
        Ok::<_, SessionError>(())
    });
    outer.await.unwrap();
}

#[tokio::test]
async fn a_bound_session_outlives_its_visit_as_a_handle_does() {
    let session = session();
    let id = session
        .enter(Visit::new(), async {
            session.set(COUNT, 1)?;
            session.close().await?;
            session.id().ok_or(SessionError::Gone)
        })
        .await
        .unwrap()
        .output;
    let bound = session
        .init(Visit::from(id.clone()), async {
            session.start_readonly().await?;
            session.bind()
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(bound.get(COUNT).unwrap(), Some(1));
    bound.transaction_exclusive(async || bound.set(COUNT, 2)).await.unwrap();
    let read = session.enter(Visit::from(id), async { session.get(COUNT) });
    assert_eq!(read.await.unwrap().output, Some(2));
}

#[test]
fn outside_of_a_context_there_is_nothing_to_bind_to() {
    assert!(matches!(session().bind(), Err(SessionError::NotInitialised)));
    assert!(Session::innermost().is_none());
}

/// A session type of its own.
#[derive(Debug)]
struct Account;

impl Account {
    const USER: Key<Self, String> = Key::declare("user");
}

impl Values for Account {}
impl Namespaces for Account {}

#[tokio::test]
async fn a_view_without_types_sees_what_the_typed_session_sees() {
    let typed: Session<Untyped, Account> = Session::builder(MemoryStorage::new()).build();
    let other = session();
    let work = typed.enter(Visit::new(), async {
        let inside = other.enter(Visit::new(), async {
            assert_eq!(Session::innermost().unwrap().get("count")?, None);
            Session::innermost().unwrap().set("count", 1)?;
            assert_eq!(other.get(COUNT)?, Some(1));
            typed.set(Account::USER, "ada".to_owned())
        });
        inside.await?;
        let innermost = Session::innermost().unwrap();
        assert_eq!(innermost.get("user")?, Some("ada".into()));
        typed.untyped().set("user", "grace")?;
        assert_eq!(typed.get(Account::USER)?, Some("grace".to_owned()));
        typed.untyped().set("user", 7)?;
        assert!(matches!(typed.get(Account::USER), Err(SessionError::Codec { .. })));
        typed.untyped().unset("user").map(drop)
    });
    work.await.unwrap();
}

#[tokio::test]
async fn each_visit_is_found_by_its_types() {
    let (typed, plain): (Session<Untyped, Account>, _) = (Session::builder(MemoryStorage::new()).build(), session());
    let (outer, inner, other) = (
        typed.open(Visit::new()),
        plain.open(Visit::new()),
        plain.open(Visit::new()),
    );
    let mut visits = Visits::default();
    for visit in [&outer, &inner, &other] {
        visits.push(visit.handle().clone());
    }
    let found: Session = visits.session().unwrap();
    found.start().await.unwrap();
    found.set(COUNT, 1).unwrap();
    let innermost: Option<&Handle> = visits.iter().next();
    assert_eq!(innermost.unwrap().untyped().get(COUNT).unwrap(), Some(1));
    assert!(inner.end_untouched() && outer.end_untouched() && !other.end_untouched());
    assert!(visits.session::<Untyped, Account>().is_some());
    assert!(visits.session::<Account, Account>().is_none());
}
