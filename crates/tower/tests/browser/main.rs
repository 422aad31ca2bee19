//! Plays random schedules against a model of a browser: cookies by the standards, parallel requests whose responses
//! arrive late, in any order, or never, closed windows, passing time, and a second application on the host. The browser
//! loses an id only to crossings that no server can know of:
//!
//! - two responses that both set a *new* id, to requests that were sent before either had arrived: the later one stays;
//! - a response that sets a new lifetime, to a request that was sent before the response with a newer id arrived;
//! - the response to a logout that was sent before the response with a newer id arrived.
//!
//! The module `player` checks everything else.

// In tests, `unwrap` is an assertion, in helpers too.
#![allow(clippy::unwrap_used)]

mod jar;
#[path = "../cookie_rules/model.rs"]
mod parse;
mod player;
mod site;

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{DAY, HOUR, MINUTE};

use self::player::{Counts, Player, Trip};
use self::site::{Kind, Site, Task, lifetime};

/// The seeds of the schedules.
const SEEDS: std::ops::Range<u64> = 0..200;

/// The generator SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// Prints the seed of a failed schedule.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed of the schedule is {}", self.0);
        }
    }
}

fn trip(random: &mut Random, number: u64) -> Trip {
    let kind = match random.below(16) {
        0..3 => Kind::Read,
        3 => Kind::Poll,
        4..7 => Kind::Write,
        7..9 => Kind::Draft,
        9 => Kind::Discard,
        10..12 => Kind::Login,
        12 => Kind::Logout,
        13..15 => Kind::Remember(random.below(5) as u8),
        _ => Kind::WriteAndFail,
    };
    let mut moment = |longest| 1 + random.below(longest);
    let (at, there, steps) = (moment(2_000), moment(800), [moment(500), moment(500)]);
    let back = match moment(12) {
        1 => None,
        // Longer than the tombstone of a former id lasts.
        2 => Some(60_000 + moment(60_000)),
        _ => Some(moment(1_500)),
    };
    Trip {
        site: usize::from(moment(5) == 1),
        task: Task { kind, number, steps },
        at,
        there,
        back,
    }
}

async fn play(seed: u64) -> Counts {
    let _seed = Seed(seed);
    let mut random = Random(seed);
    // Some schedules use a name without a prefix, and a planted cookie of that name comes first.
    let is_planted = random.one_in(4);
    let cookie = if is_planted { "shop-SID" } else { "__Host-shop-SID" };
    let sites = vec![
        Site::new(cookie, lifetime(random.below(5) as u8)),
        Site::new("__Host-other-SID", lifetime(random.below(5) as u8)),
    ];
    let player = Player::new(sites);
    player.plant("theme=dark; Path=/; Max-Age=999999999");
    if is_planted {
        player.plant("shop-SID=planted-0123456789; Path=/; Domain=example.com; Max-Age=999999999");
    }
    let mut number = 0;
    for _ in 0..3 + random.below(5) {
        let mut under_way = Vec::new();
        for _ in 0..1 + random.below(6) {
            number += 1;
            under_way.push(tokio::spawn(Arc::clone(&player).travel(trip(&mut random, number))));
        }
        if random.one_in(5) {
            tokio::time::sleep(Duration::from_millis(random.below(4_000))).await;
            player.restart();
        }
        for request in under_way {
            request
                .await
                .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
        if random.one_in(4) {
            player.probe(0, &mut number).await;
        }
        let pause = [Duration::ZERO, MINUTE, 15 * MINUTE, 25 * MINUTE, 13 * HOUR, 40 * DAY][random.below(6) as usize];
        tokio::time::sleep(pause).await;
        if pause > DAY {
            // Renews cookies first, as renewals would count as unexpected changes in later rounds.
            for site in 0..2 {
                player.probe(site, &mut number).await;
            }
        }
    }
    player.probe(0, &mut number).await;
    player.probe(1, &mut number).await;
    player.counts()
}

#[tokio::test(start_paused = true)]
async fn a_browser_loses_no_id_in_any_order_of_responses() {
    let mut total = Counts::default();
    for seed in SEEDS {
        let counts = play(seed).await;
        total.responses += counts.responses;
        total.refused += counts.refused;
        total.ids_set += counts.ids_set;
        total.ids_removed += counts.ids_removed;
        total.windows_set += counts.windows_set;
        total.restarts += counts.restarts;
        total.crossed_by_new_id += counts.crossed_by_new_id;
        total.crossed_by_lifetime += counts.crossed_by_lifetime;
        total.crossed_by_logout += counts.crossed_by_logout;
    }
    // The schedules prove something only if all kinds of events occurred.
    let Counts {
        responses,
        refused,
        ids_set,
        ids_removed,
        windows_set,
        restarts,
        ..
    } = total;
    for (times, at_least) in [
        (responses, 5_000),
        (refused, 100),
        (ids_set, 500),
        (ids_removed, 30),
        (windows_set, 100),
        (restarts, 100),
        (total.crossed_by_new_id, 20),
        (total.crossed_by_lifetime, 1),
        (total.crossed_by_logout, 1),
    ] {
        assert!(times >= at_least, "{total:?}");
    }
}
