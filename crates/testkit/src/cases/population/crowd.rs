//! Many at once, through both handles: limits are exact, lists complete, and ends final.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sessile_core::{Limit, Session, SessionError, SessionId, Visit};
use tokio::task::JoinSet;

use super::support::{assert_owns, keys_of, lives, regenerate, second_with, session, session_with, try_visit, visit};
use crate::cases::concurrency::finish;
use crate::kit::Context;

const LOGINS: usize = 32;
const LIMIT: usize = 3;

/// A login that has succeeded, by the clock of this process.
#[derive(Debug)]
struct Login {
    id: SessionId,
    called: Instant,
    returned: Instant,
    /// The beginning of the last look that found the session alive, if there was one.
    seen: Option<Instant>,
    lives: bool,
}

fn handle(sessions: &[Session; 2], number: usize) -> Session {
    sessions[number % 2].clone()
}

/// Logs in, again if too many wait: storages under test let few wait.
async fn log_in(session: &Session, owner: &str) -> Result<SessionId, SessionError> {
    loop {
        match try_visit(session, Visit::new(), || session.log_in(owner)).await {
            Err(SessionError::TooManyWaiters) => tokio::task::yield_now().await,
            other => return other,
        }
    }
}

/// Logs in at the same time on both handles, and watches each session until it ends or all logins are over.
async fn logins(ctx: &Context, limit: Limit) -> (Vec<Login>, usize) {
    let sessions = [
        session_with(ctx, |builder| builder.limit(limit)),
        second_with(ctx, |builder| builder.limit(limit)),
    ];
    let over = Arc::new(AtomicBool::new(false));
    let mut watching = JoinSet::new();
    let left = Arc::new(std::sync::atomic::AtomicUsize::new(LOGINS));
    for number in 0..LOGINS {
        let (session, over, left) = (handle(&sessions, number), Arc::clone(&over), Arc::clone(&left));
        watching.spawn(async move {
            let called = Instant::now();
            let result = log_in(&session, "ada").await;
            let returned = Instant::now();
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                over.store(true, Ordering::SeqCst);
            }
            let id = match result {
                Ok(id) => id,
                Err(SessionError::TooManySessions { limit: LIMIT }) => return None,
                Err(error) => panic!("a login failed: {error:?}"),
            };
            let mut login = Login {
                id,
                called,
                returned,
                seen: None,
                lives: true,
            };
            loop {
                let last = over.load(Ordering::SeqCst);
                let looked = Instant::now();
                if !lives(&session, &login.id).await {
                    login.lives = false;
                    return Some(login);
                }
                login.seen = Some(looked);
                if last {
                    return Some(login);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let mut logins = Vec::new();
    let mut refused = 0;
    while let Some(watched) = watching.join_next().await {
        match watched.expect("a login panicked") {
            Some(login) => logins.push(login),
            None => refused += 1,
        }
    }
    (logins, refused)
}

/// Judges by intervals: from the return of its login to the beginning of the last look that found it, each session has
/// surely lived.
fn assert_within_limit(logins: &[Login]) {
    for login in logins {
        let moment = login.returned;
        let alive = logins
            .iter()
            .filter(|other| other.returned <= moment && other.seen.is_some_and(|seen| moment <= seen))
            .count();
        assert!(
            alive <= LIMIT,
            "{alive} sessions live at an instant, and {LIMIT} may: {logins:#?}"
        );
    }
}

pub(crate) async fn logins_beyond_the_limit_are_refused(ctx: Context) {
    let (logins, refused) = logins(&ctx, Limit::per_owner(LIMIT)).await;
    assert_within_limit(&logins);
    assert_eq!((logins.len(), refused), (LIMIT, LOGINS - LIMIT));
    assert!(
        logins.iter().all(|login| login.lives),
        "a session has ended for a refused one: {logins:#?}"
    );
    assert_eq!(keys_of(&session(&ctx), "ada").await.len(), LIMIT);
}

pub(crate) async fn logins_beyond_the_limit_end_the_oldest(ctx: Context) {
    let (logins, _) = logins(&ctx, Limit::per_owner(LIMIT).evict_oldest()).await;
    assert_within_limit(&logins);
    for login in logins.iter().filter(|login| login.lives) {
        let younger = logins
            .iter()
            .find(|other| !other.lives && login.returned < other.called);
        assert!(
            younger.is_none(),
            "a younger session has ended, and an older one lives: {younger:#?}, {login:#?}"
        );
    }
    assert_the_rest_is_listed(&ctx, &logins).await;
}

pub(crate) async fn logins_beyond_the_limit_end_the_least_active(ctx: Context) {
    let (logins, _) = logins(&ctx, Limit::per_owner(LIMIT).evict_least_active()).await;
    assert_within_limit(&logins);
    assert_the_rest_is_listed(&ctx, &logins).await;
}

async fn assert_the_rest_is_listed(ctx: &Context, logins: &[Login]) {
    let session = session(ctx);
    let mut listed = keys_of(&session, "ada").await;
    listed.sort();
    let mut living = Vec::new();
    for login in logins {
        if lives(&session, &login.id).await {
            living.push(login.id.key());
        }
    }
    living.sort();
    assert_eq!(listed, living, "the sessions that live are those that are listed");
    assert!((1..=LIMIT).contains(&living.len()), "{living:?}");
}

/// A list shows a session exactly once while it moves.
pub(crate) async fn a_session_that_moves_is_never_missing(ctx: Context) {
    let movers = [session(&ctx), second_with(&ctx, |builder| builder)];
    let over = Arc::new(AtomicBool::new(false));
    let first = visit(&movers[0], Visit::new(), || movers[0].log_in("ada")).await;
    let mut tasks = JoinSet::new();
    for number in 0..3 {
        let (session, over) = (handle(&movers, number), Arc::clone(&over));
        tasks.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                match session.registry().by_owner("ada").await {
                    Ok(sessions) => assert_eq!(sessions.len(), 1, "the list while the session moves"),
                    Err(SessionError::TooManyWaiters) => {}
                    Err(error) => panic!("by_owner failed: {error:?}"),
                }
                tokio::task::yield_now().await;
            }
        });
    }
    let mut id = first;
    for number in 0..40 {
        let session = handle(&movers, number);
        id = match number % 3 {
            0 => visit(&session, id, || session.log_in("ada")).await,
            _ => regenerate(&session, &id).await,
        };
    }
    over.store(true, Ordering::SeqCst);
    finish(tasks).await;
    assert_owns(&ctx, "ada", &[&id]).await;
}

/// A list never names a session that had left its owner before it was asked for.
pub(crate) async fn a_former_owner_is_never_shown_a_session(ctx: Context) {
    let sessions = [session(&ctx), second_with(&ctx, |builder| builder)];
    let mut id = visit(&sessions[0], Visit::new(), || sessions[0].log_in("ada")).await;
    let mut tasks = JoinSet::new();
    let over = Arc::new(AtomicBool::new(false));
    for number in 0..2 {
        let (session, over) = (handle(&sessions, number), Arc::clone(&over));
        tasks.spawn(async move {
            // Readers clean both lists meanwhile.
            while !over.load(Ordering::SeqCst) {
                for owner in ["ada", "bob"] {
                    let listed = session.registry().by_owner(owner).await.expect("by_owner");
                    assert!(
                        listed.iter().all(|info| info.owner.as_deref() == Some(owner)),
                        "{listed:#?}"
                    );
                }
                tokio::task::yield_now().await;
            }
        });
    }
    for number in 0..20 {
        let session = handle(&sessions, number / 3);
        let [from, to] = if number % 2 == 0 {
            ["ada", "bob"]
        } else {
            ["bob", "ada"]
        };
        id = visit(&session, id, || session.log_in(to)).await;
        assert_eq!(
            keys_of(&session, from).await,
            [],
            "the sessions of {from}, who has none"
        );
        assert_eq!(keys_of(&session, to).await, [id.key()], "the sessions of {to}");
    }
    over.store(true, Ordering::SeqCst);
    finish(tasks).await;
}

/// A session that was there when all were ended never comes back, whatever its visits do.
pub(crate) async fn the_end_of_all_is_final(ctx: Context) {
    for round in 0..4 {
        let sessions = [session(&ctx), second_with(&ctx, |builder| builder)];
        let ended = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..4 {
            let session = handle(&sessions, number);
            let mut id = log_in(&session, "ada").await.expect("login");
            let ended = Arc::clone(&ended);
            tasks.spawn(async move {
                for step in 0.. {
                    let is_over = ended.load(Ordering::SeqCst);
                    let visited = try_visit(&session, Visit::attach(id), || match (number + step) % 4 {
                        0 => session.log_in("ada"),
                        1 => session.regenerate_id(),
                        2 => session.set("step", step),
                        _ => session.log_in("ada"),
                    });
                    match visited.await {
                        Ok(_) if is_over => panic!("a session lives after all were ended"),
                        Ok(moved) => id = moved,
                        Err(SessionError::Unknown | SessionError::Gone | SessionError::Superseded) => return,
                        Err(error) => panic!("a visit failed: {error:?}"),
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(3 * round)).await;
        let ending = handle(&sessions, round as usize).registry().end_all("ada").await;
        assert_eq!(ending.expect("end_all"), 4);
        ended.store(true, Ordering::SeqCst);
        finish(tasks).await;
        assert_owns(&ctx, "ada", &[]).await;
    }
}
