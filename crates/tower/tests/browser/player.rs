//! Plays schedules, and checks each response when the site sends it and when it reaches the browser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Request;
use http::header::{COOKIE, SET_COOKIE};
use sessile_core::MINUTE;
use tokio::time::Instant;

use crate::jar::{HOME, Jar};
use crate::site::{Kind, Seen, Site, Task};

/// A request, the moment it is sent, relative to the beginning of its round, and its travel times, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) site: usize,
    pub(crate) task: Task,
    pub(crate) at: u64,
    pub(crate) there: u64,
    /// `None` if the response is lost.
    pub(crate) back: Option<u64>,
}

/// One browser and the sites it visits.
pub(crate) struct Player {
    sites: Vec<Site>,
    state: Mutex<State>,
    began: Instant,
}

/// The cookies of the browser, and everything that was acknowledged to it.
#[derive(Default)]
struct State {
    jar: Jar,
    /// Counts restarts, each of which discards the responses in flight.
    run: u64,
    /// A logical clock that orders all events.
    now: u64,
    /// The moment at which each value of a site's cookie first arrived.
    first_seen: HashMap<(usize, String), u64>,
    /// The sessions that were ended, with the moment of the acknowledgement.
    ended: HashMap<(usize, u64), u64>,
    /// The acknowledged writes.
    written: Vec<Written>,
    pub(crate) counts: Counts,
}

struct Written {
    site: usize,
    lineage: u64,
    at: u64,
    run: u64,
    count: u64,
    draft: Option<Option<u64>>,
}

/// The number of events of each kind.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) responses: u64,
    pub(crate) refused: u64,
    pub(crate) ids_set: u64,
    pub(crate) ids_removed: u64,
    pub(crate) windows_set: u64,
    pub(crate) restarts: u64,
    /// Responses that replaced an id which had arrived after the request was sent.
    pub(crate) crossed_by_new_id: u64,
    pub(crate) crossed_by_lifetime: u64,
    pub(crate) crossed_by_logout: u64,
}

/// The state of the browser when it sent a request.
struct Sent {
    run: u64,
    at: u64,
    ids: Vec<String>,
}

impl Player {
    pub(crate) fn new(sites: Vec<Site>) -> Arc<Self> {
        Arc::new(Self {
            sites,
            state: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_secs()).expect("tests are short")
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts
    }

    /// Stores a cookie that another host has planted.
    pub(crate) fn plant(&self, header: &str) {
        let now = self.seconds();
        self.state().jar.store(header, HOME, now);
    }

    pub(crate) fn restart(&self) {
        let mut state = self.state();
        state.jar.restart();
        state.run += 1;
        state.now += 1;
        state.counts.restarts += 1;
    }

    /// Sends a request and delivers its response, if that arrives.
    pub(crate) async fn travel(self: Arc<Self>, trip: Trip) -> Option<Seen> {
        tokio::time::sleep(Duration::from_millis(trip.at)).await;
        let site = &self.sites[trip.site];
        let (sent, request) = self.send(trip, site);
        tokio::time::sleep(Duration::from_millis(trip.there)).await;
        let arrived = self.tick();
        let (parts, body) = site.ask(request).await.into_parts();
        let seen = body.into_inner();
        if let (Some(seen), true) = (seen, parts.status.is_success()) {
            self.acknowledge(trip, &sent, arrived, seen);
        } else {
            self.state().counts.refused += 1;
        }
        tokio::time::sleep(Duration::from_millis(trip.back?)).await;
        let lines = parts.headers.get_all(SET_COOKIE).iter();
        let lines: Vec<_> = lines
            .map(|line| line.to_str().expect("it is ASCII").to_owned())
            .collect();
        self.deliver(trip, &sent, &lines).await;
        seen
    }

    fn tick(&self) -> u64 {
        let mut state = self.state();
        state.now += 1;
        state.now
    }

    fn send(&self, trip: Trip, site: &Site) -> (Sent, Request<Task>) {
        let now = self.seconds();
        let mut state = self.state();
        state.now += 1;
        let mut request = Request::new(trip.task);
        if let Some(cookies) = state.jar.header(HOME, now) {
            request
                .headers_mut()
                .insert(COOKIE, cookies.parse().expect("it is ASCII"));
        }
        let sent = Sent {
            run: state.run,
            at: state.now,
            ids: state.jar.values(site.cookie, now),
        };
        (sent, request)
    }

    /// Checks that a visit saw everything that was acknowledged before it began, and acknowledges its own result.
    fn acknowledge(&self, trip: Trip, sent: &Sent, arrived: u64, seen: Seen) {
        let mut state = self.state();
        state.now += 1;
        state.counts.responses += 1;
        let Some(lineage) = seen.lineage else { return };
        if let Some(ended) = state.ended.get(&(trip.site, lineage)) {
            assert!(
                *ended > arrived,
                "{trip:?}: a session that was logged out of was seen again"
            );
        }
        for written in state.written.iter().filter(|written| written.at < arrived) {
            if (written.site, written.lineage) != (trip.site, lineage) {
                continue;
            }
            assert!(
                seen.count >= Some(written.count),
                "{trip:?}: a write was lost: {seen:?}"
            );
            // The first visit after a restart ends transient data, also for requests still in flight.
            if let Some(Some(draft)) = written.draft
                && [written.run, sent.run] == [state.run; 2]
                && !self.may_be_discarded(&state, trip, written, lineage)
            {
                assert!(
                    seen.draft >= Some(draft),
                    "{trip:?}: transient data of this window was lost: {draft}, {seen:?}"
                );
            }
        }
        let at = state.now;
        match trip.task.kind {
            Kind::Read | Kind::Poll => {}
            Kind::Logout => drop(state.ended.insert((trip.site, lineage), at)),
            kind => {
                let written = Written {
                    site: trip.site,
                    lineage,
                    at,
                    run: sent.run,
                    count: seen.count.expect("it was written"),
                    draft: matches!(kind, Kind::Draft | Kind::Discard).then_some(seen.draft),
                };
                state.written.push(written);
            }
        }
    }

    /// Returns whether the visitor may have discarded a draft.
    fn may_be_discarded(&self, state: &State, trip: Trip, draft: &Written, lineage: u64) -> bool {
        trip.task.kind == Kind::Discard
            || state.written.iter().any(|later| {
                (later.site, later.lineage, later.draft) == (trip.site, lineage, Some(None))
                    && later.count > draft.count
            })
    }

    /// Delivers a response to the browser, and checks that each change of the id has a reason.
    async fn deliver(&self, trip: Trip, sent: &Sent, lines: &[String]) {
        let site = &self.sites[trip.site];
        let now = self.seconds();
        let (before, after) = {
            let mut state = self.state();
            if state.run != sent.run {
                return;
            }
            state.now += 1;
            let others: Vec<_> = self.other_ids(&mut state, trip.site, now);
            let before = state.jar.values(site.cookie, now);
            for line in lines {
                state.jar.store(line, HOME, now);
            }
            assert_eq!(
                others,
                self.other_ids(&mut state, trip.site, now),
                "{trip:?}: another site's cookie changed"
            );
            state.counts.windows_set += u64::from(
                lines
                    .iter()
                    .any(|line| line.contains("SW=") && !line.contains("Max-Age=0")),
            );
            (before, state.jar.values(site.cookie, now))
        };
        if before == after {
            return;
        }
        let own = |ids: &[String]| ids.iter().find(|id| !self.is_planted(id)).cloned();
        let (before, after) = (own(&before), own(&after));
        // The response replaces or removes an id that was unknown when its request was sent.
        let is_crossed = before.as_ref().is_some_and(|before| !sent.ids.contains(before));
        match &after {
            None => {
                assert_eq!(
                    trip.task.kind,
                    Kind::Logout,
                    "{trip:?}: only a logout removes the cookie"
                );
                let before = before.expect("there was something to remove");
                if !is_crossed {
                    assert!(
                        !site.is_live(&before).await,
                        "{trip:?}: the cookie of a live session was removed"
                    );
                }
            }
            Some(after) if self.state().first_seen.contains_key(&(trip.site, after.clone())) => {
                // Only a new lifetime sets an id again that the browser had before.
                assert!(
                    matches!(trip.task.kind, Kind::Remember(_)),
                    "{trip:?}: an old id was put back over {before:?}"
                );
                assert!(is_crossed || before.is_none(), "{trip:?}");
            }
            Some(_) => {
                let sets_ids = !matches!(
                    trip.task.kind,
                    Kind::Read | Kind::Poll | Kind::Logout | Kind::WriteAndFail
                );
                assert!(sets_ids, "{trip:?}: a visit that only reads gets no id");
            }
        }
        let mut state = self.state();
        let counts = &mut state.counts;
        match (&after, is_crossed) {
            (None, true) => counts.crossed_by_logout += 1,
            (None, false) => counts.ids_removed += 1,
            (Some(_), true) if matches!(trip.task.kind, Kind::Remember(_)) => counts.crossed_by_lifetime += 1,
            (Some(_), true) => counts.crossed_by_new_id += 1,
            (Some(_), false) => counts.ids_set += 1,
        }
        let at = state.now;
        if let Some(after) = after {
            state.first_seen.entry((trip.site, after)).or_insert(at);
        }
        debug_assert!(sent.at <= at);
    }

    fn is_planted(&self, id: &str) -> bool {
        id.starts_with("planted-")
    }

    fn other_ids(&self, state: &mut State, site: usize, now: i64) -> Vec<Vec<String>> {
        let others = self.sites.iter().enumerate().filter(|(index, _)| *index != site);
        others.map(|(_, other)| state.jar.values(other.cookie, now)).collect()
    }

    /// Checks, while no request is in flight, that a write can be read back, in the session of the browser's id.
    pub(crate) async fn probe(self: &Arc<Self>, site: usize, number: &mut u64) {
        // After a lost response, writing with the former id is a conflict until the tombstone of that id has expired.
        tokio::time::sleep(MINUTE).await;
        let mut go = async |kind| {
            *number += 1;
            let task = Task {
                kind,
                number: *number,
                steps: [0, 0],
            };
            let trip = Trip {
                site,
                task,
                at: 0,
                there: 0,
                back: Some(0),
            };
            Arc::clone(self).travel(trip).await.expect("the response arrives")
        };
        let before = go(Kind::Read).await;
        let written = go(Kind::Write).await;
        assert!(
            before.lineage.is_none() || before.lineage == written.lineage,
            "the session was left behind"
        );
        assert_eq!(before.user, written.user);
        let read = go(Kind::Read).await;
        assert_eq!(
            (read.lineage, read.count),
            (written.lineage, written.count),
            "the write cannot be read back"
        );
        let names = self
            .state()
            .jar
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let of_window = |ending: &str| names.iter().filter(|name| name.ends_with(ending)).count();
        assert!(
            of_window("-ST") <= of_window("-SW"),
            "the end of this window would go unnoticed: {names:?}"
        );
    }
}
