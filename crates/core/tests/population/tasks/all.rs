//! Tasks on all sessions.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_core::Stream;
use serde_json::json;
use sessile_core::{
    Expiration, Facts, Meta, Record, Session, SessionError, SessionHead, SessionKey, Storage, StorageErrorKind,
    Timestamp, Visit,
};
use sessile_memory::MemoryStorage;
use sessile_testkit::model::{ModelState, Rules};
use sessile_testkit::{Fault, ModelStorage, Operation};

use super::{add, stored_keys};
use crate::common::*;

#[tokio::test(start_paused = true)]
async fn all_sessions_over_several_pages_and_nothing_else() -> Result<(), SessionError> {
    let fixture = fixture();
    let session = &fixture.session;
    let keys = stored_keys(&fixture, 1_200).await;
    let roster = Facts::from_bytes(&[7, 1, 1]).expect("the role of a record that is no session");
    for n in 0..100 {
        let meta = Meta::new(fixture.now()).with_facts(roster.clone());
        let key = SessionKey::derive("owner", &n.to_string());
        fixture.storage.create(&key, Record::new(meta, "no session")).await?;
    }
    let mut tasks = session.run_in_all(async || add(session));
    let progress = tasks.progress();
    assert_eq!(progress.total(), None);
    let mut reached = HashSet::new();
    while let Some(item) = tasks.next().await {
        let (key, result) = item?;
        result?;
        assert!(reached.insert(key));
    }
    assert_eq!(reached, keys.iter().copied().collect());
    assert_eq!(
        (progress.done(), progress.failed(), progress.total()),
        (1_200, 0, Some(1_200))
    );
    assert!(fixture.calls.of(Operation::Scan) >= 3);
    Ok(())
}

/// Lists each session twice.
#[derive(Debug)]
struct ListsTwice;

impl Rules for ListsTwice {
    fn scan(&self, state: &ModelState, after: Option<&SessionKey>, limit: usize, now: Timestamp) -> Vec<SessionHead> {
        let page = state.scan(after, limit, now);
        page.iter().chain(&page).cloned().collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_listed_twice_runs_once() {
    let storage = ModelStorage::with_rules(ListsTwice);
    let session: Session = Session::builder(storage).default_expiration(Expiration::Never).build();
    for _ in 0..20 {
        session
            .enter(Visit::new(), async { add(&session) })
            .await
            .expect("it is stored");
    }
    let results = session.run_in_all(async || add(&session)).collect().await;
    let counts: Vec<_> = results
        .into_iter()
        .map(|item| item.expect("a page").1.expect("it is there"))
        .collect();
    assert_eq!(counts, [2; 20]);
}

/// The results of the tasks that were started come before the error.
#[tokio::test(start_paused = true)]
async fn a_page_that_fails_is_the_last_item() {
    let fixture = fixture();
    let session = &fixture.session;
    stored_keys(&fixture, 1_200).await;
    fixture
        .faults
        .fail(Operation::Scan, 2, Fault::before(StorageErrorKind::Unavailable));
    let tasks = session.run_in_all(async || {
        pass(ms(1)).await;
        add(session)
    });
    let progress = tasks.progress();
    let mut results = tasks.collect().await;
    let last = results.pop().expect("there are results");
    assert_fails!(last, SessionError::Storage(_));
    assert!(results.len() == 512 && results.iter().all(|item| matches!(item, Ok((_, Ok(_))))));
    assert_eq!((progress.done(), progress.total()), (512, None));
}

/// Other visits create and end sessions while a task runs on all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sessions_while_others_come_and_go() -> Result<(), SessionError> {
    const SESSIONS: usize = 10_000;
    let storage = MemoryStorage::new();
    let session: Session = Session::builder(storage).default_expiration(Expiration::Never).build();
    let begin = async |session: &Session| {
        let begun = session
            .enter(Visit::new(), async { session.set("count", json!(0)) })
            .await;
        begun
            .expect("a session can begin")
            .outcome
            .new_id()
            .expect("it has an id")
    };
    let (mut staying, mut ending) = (HashSet::new(), Vec::new());
    for n in 0..SESSIONS {
        let id = begin(&session).await;
        match n % 10 {
            0 => ending.push(id),
            _ => drop(staying.insert(id.key())),
        }
    }
    let ended: HashSet<_> = ending.iter().map(|id| id.key()).collect();
    let others = {
        let session = session.clone();
        tokio::spawn(async move {
            for id in ending {
                session.init(id.into(), session.destroy()).await??;
                begin(&session).await;
            }
            Ok::<_, SessionError>(())
        })
    };
    let runs = AtomicUsize::new(0);
    let mut tasks = session.run_in_all(async || {
        runs.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        add(&session)
    });
    let (mut reached, mut gone) = (HashSet::new(), 0);
    while let Some(item) = poll_fn(|cx| Stream::poll_next(Pin::new(&mut tasks), cx)).await {
        let (key, result) = item?;
        assert!(reached.insert(key), "it runs once");
        match result {
            Ok(count) => assert_eq!(count, 1),
            Err(SessionError::Gone) if ended.contains(&key) => gone += 1,
            Err(error) => return Err(error),
        }
    }
    others.await.expect("no panic")?;
    assert!(staying.is_subset(&reached));
    assert_eq!(tasks.progress().failed(), gone);
    assert!(runs.load(Ordering::Relaxed) + gone >= reached.len());
    Ok(())
}
