//! Plays schedules, and checks each answer when it is given and when it reaches the browser.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http::Request;
use http::header::{COOKIE, SET_COOKIE};
use sessile_core::MINUTE;
use tokio::time::Instant;

use crate::jar::{HOME, Jar};
use crate::site::{Kind, Seen, Site, Task};

/// A request on its way: when it is sent after the beginning of its round, and how long it travels, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) site: usize,
    pub(crate) task: Task,
    pub(crate) at: u64,
    pub(crate) there: u64,
    /// `None` if the answer is lost.
    pub(crate) back: Option<u64>,
}

/// One browser and the sites it visits.
pub(crate) struct Player {
    sites: Vec<Site>,
    world: Mutex<World>,
    began: Instant,
}

/// What the browser has, and what everybody was told.
#[derive(Default)]
struct World {
    jar: Jar,
    /// Counts restarts; what was under way before one never arrives.
    run: u64,
    /// Counts whatever happens, in its order.
    now: u64,
    /// For each value that a cookie of a site ever had: when it came.
    came: HashMap<(usize, String), u64>,
    /// The sessions that were ended, and when that was acknowledged.
    ended: HashMap<(usize, u64), u64>,
    /// The writes that were acknowledged.
    written: Vec<Written>,
    pub(crate) tally: Tally,
}

struct Written {
    site: usize,
    lineage: u64,
    at: u64,
    run: u64,
    count: u64,
    draft: Option<Option<u64>>,
}

/// How often what can happen has happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    pub(crate) refused: u64,
    pub(crate) ids_set: u64,
    pub(crate) ids_removed: u64,
    pub(crate) windows_set: u64,
    pub(crate) restarts: u64,
    /// Answers that put another id in the place of one that had come since the request was sent.
    pub(crate) crossed_by_new_id: u64,
    pub(crate) crossed_by_lifetime: u64,
    pub(crate) crossed_by_logout: u64,
}

/// What was known when a request was sent.
struct Sent {
    run: u64,
    at: u64,
    ids: Vec<String>,
}

impl Player {
    pub(crate) fn new(sites: Vec<Site>) -> Arc<Self> {
        Arc::new(Self {
            sites,
            world: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics with it")
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_secs()).expect("tests are short")
    }

    pub(crate) fn tally(&self) -> Tally {
        self.world().tally
    }

    /// A cookie that somebody else has put there.
    pub(crate) fn plant(&self, header: &str) {
        let now = self.seconds();
        self.world().jar.take(header, HOME, now);
    }

    pub(crate) fn restart(&self) {
        let mut world = self.world();
        world.jar.restart();
        world.run += 1;
        world.now += 1;
        world.tally.restarts += 1;
    }

    /// A request and its answer, if that arrives.
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
            self.world().tally.refused += 1;
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
        let mut world = self.world();
        world.now += 1;
        world.now
    }

    fn send(&self, trip: Trip, site: &Site) -> (Sent, Request<Task>) {
        let now = self.seconds();
        let mut world = self.world();
        world.now += 1;
        let mut request = Request::new(trip.task);
        if let Some(cookies) = world.jar.header(HOME, now) {
            request
                .headers_mut()
                .insert(COOKIE, cookies.parse().expect("it is ASCII"));
        }
        let sent = Sent {
            run: world.run,
            at: world.now,
            ids: world.jar.values(site.cookie, now),
        };
        (sent, request)
    }

    /// What a visit saw has to agree with what was acknowledged before it began, and is acknowledged now.
    fn acknowledge(&self, trip: Trip, sent: &Sent, arrived: u64, seen: Seen) {
        let mut world = self.world();
        world.now += 1;
        world.tally.answers += 1;
        let Some(lineage) = seen.lineage else { return };
        if let Some(ended) = world.ended.get(&(trip.site, lineage)) {
            assert!(
                *ended > arrived,
                "{trip:?}: a session that was logged out of was seen again"
            );
        }
        for written in world.written.iter().filter(|written| written.at < arrived) {
            if (written.site, written.lineage) != (trip.site, lineage) {
                continue;
            }
            assert!(
                seen.count >= Some(written.count),
                "{trip:?}: a write was taken back: {seen:?}"
            );
            // Whoever comes after a restart ends what was set before, also for requests that are still under way.
            if let Some(Some(draft)) = written.draft
                && [written.run, sent.run] == [world.run; 2]
                && !self.may_be_discarded(&world, trip, written, lineage)
            {
                assert!(
                    seen.draft >= Some(draft),
                    "{trip:?}: what was set in this window was taken back: {draft}, {seen:?}"
                );
            }
        }
        let at = world.now;
        match trip.task.kind {
            Kind::Read | Kind::Poll => {}
            Kind::Logout => drop(world.ended.insert((trip.site, lineage), at)),
            kind => {
                let written = Written {
                    site: trip.site,
                    lineage,
                    at,
                    run: sent.run,
                    count: seen.count.expect("it was written"),
                    draft: matches!(kind, Kind::Draft | Kind::Discard).then_some(seen.draft),
                };
                world.written.push(written);
            }
        }
    }

    /// Whether a draft may have been thrown away by the visitor.
    fn may_be_discarded(&self, world: &World, trip: Trip, draft: &Written, lineage: u64) -> bool {
        trip.task.kind == Kind::Discard
            || world.written.iter().any(|later| {
                (later.site, later.lineage, later.draft) == (trip.site, lineage, Some(None))
                    && later.count > draft.count
            })
    }

    /// An answer reaches the browser. Whatever it does to the id has to have a reason.
    async fn deliver(&self, trip: Trip, sent: &Sent, lines: &[String]) {
        let site = &self.sites[trip.site];
        let now = self.seconds();
        let (before, after) = {
            let mut world = self.world();
            if world.run != sent.run {
                return;
            }
            world.now += 1;
            let others: Vec<_> = self.other_ids(&mut world, trip.site, now);
            let before = world.jar.values(site.cookie, now);
            for line in lines {
                world.jar.take(line, HOME, now);
            }
            assert_eq!(
                others,
                self.other_ids(&mut world, trip.site, now),
                "{trip:?}: another site's cookie changed"
            );
            world.tally.windows_set += u64::from(
                lines
                    .iter()
                    .any(|line| line.contains("SW=") && !line.contains("Max-Age=0")),
            );
            (before, world.jar.values(site.cookie, now))
        };
        if before == after {
            return;
        }
        let own = |ids: &[String]| ids.iter().find(|id| !self.is_planted(id)).cloned();
        let (before, after) = (own(&before), own(&after));
        // It was replaced or removed by an answer to a request that did not know of it.
        let is_crossed = before.as_ref().is_some_and(|before| !sent.ids.contains(before));
        match &after {
            None => {
                assert_eq!(
                    trip.task.kind,
                    Kind::Logout,
                    "{trip:?}: only who logs out removes the cookie"
                );
                let before = before.expect("there was something to remove");
                if !is_crossed {
                    assert!(
                        !site.is_live(&before).await,
                        "{trip:?}: the cookie of a live session was removed"
                    );
                }
            }
            Some(after) if self.world().came.contains_key(&(trip.site, after.clone())) => {
                // An id that the browser has had before comes back only with a new lifetime.
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
                assert!(sets_ids, "{trip:?}: who only looks gets no id");
            }
        }
        let mut world = self.world();
        let tally = &mut world.tally;
        match (&after, is_crossed) {
            (None, true) => tally.crossed_by_logout += 1,
            (None, false) => tally.ids_removed += 1,
            (Some(_), true) if matches!(trip.task.kind, Kind::Remember(_)) => tally.crossed_by_lifetime += 1,
            (Some(_), true) => tally.crossed_by_new_id += 1,
            (Some(_), false) => tally.ids_set += 1,
        }
        let at = world.now;
        if let Some(after) = after {
            world.came.entry((trip.site, after)).or_insert(at);
        }
        debug_assert!(sent.at <= at);
    }

    fn is_planted(&self, id: &str) -> bool {
        id.starts_with("planted-")
    }

    fn other_ids(&self, world: &mut World, site: usize, now: i64) -> Vec<Vec<String>> {
        let others = self.sites.iter().enumerate().filter(|(index, _)| *index != site);
        others.map(|(_, other)| world.jar.values(other.cookie, now)).collect()
    }

    /// When nothing is under way: a visitor who writes can read it, in a session the browser has the id of.
    pub(crate) async fn probe(self: &Arc<Self>, site: usize, number: &mut u64) {
        // As long as the mark of an id stays that was left behind, by an answer that was lost, writing is a conflict.
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
            Arc::clone(self).travel(trip).await.expect("the answer arrives")
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
            "what was written is not found"
        );
        let names = self
            .world()
            .jar
            .names()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let of_window = |ending: &str| names.iter().filter(|name| name.ends_with(ending)).count();
        assert!(
            of_window("-ST") <= of_window("-SW"),
            "a window that would close unnoticed: {names:?}"
        );
    }
}
