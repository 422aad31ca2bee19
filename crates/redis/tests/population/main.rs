//! Owners, limits and ends of sessions across processes that share Redis servers, while processes are killed,
//! connections are cut and servers fail over.
//!
//! `SESSILE_TORTURE_SECONDS` makes the scenes longer, `SESSILE_SEED` repeats a run.

#[path = "../torture/group.rs"]
mod group;
mod nodes;
#[allow(dead_code, reason = "the torture of the storage uses the rest")]
#[path = "../torture/place.rs"]
mod place;
#[allow(dead_code, reason = "the torture of the storage uses the rest")]
#[path = "../torture/single.rs"]
mod single;

use std::time::Duration;

use group::Group;
use nodes::Nodes;
use place::{Durable, Place, VARIABLE};
use sessile_lab::population::{Population, ScratchFolder, Summary, work};
use sessile_lab::process::role;
use sessile_lab::redis::{RedisCluster, RedisSentinel, RedisServer};
use sessile_testkit::torture::Disturbance;
use single::{Act, Single};

/// The default duration of a scene.
const A_WHILE: Duration = Duration::from_secs(10);

/// Runs a worker if this process is one.
fn is_worker() -> bool {
    let Some((role, folder)) = role() else { return false };
    work(&role, &folder, async || Place::of_worker().connect().await);
    true
}

fn run(test: &str, population: &Population, place: &Place, disturbance: Option<&mut dyn Disturbance>) -> Summary {
    let folder = ScratchFolder::new();
    let population = population.clone().with_env(VARIABLE, &place.text());
    let summary = population.run_under(test, folder.path(), disturbance, async || place.connect().await);
    println!("{test}: {summary}");
    summary
}

/// Runs logins on one server.
fn single(test: &str, population: &Population) -> Summary {
    let server = RedisServer::start_with(&["maxmemory-policy noeviction"]);
    run(test, population, &Place::single(server.url()).patient(), None)
}

/// Runs logins on a cluster.
fn cluster(test: &str, population: &Population) -> Summary {
    let cluster = RedisCluster::start();
    run(test, population, &Place::cluster(cluster.urls()).patient(), None)
}

#[test]
fn a_limit_that_refuses_is_exact() {
    if is_worker() {
        return;
    }
    let summary = single("a_limit_that_refuses_is_exact", &Population::logins());
    assert_eq!((summary.logins, summary.refused), (3, 197));
}

#[test]
fn a_limit_that_evicts_is_exact() {
    if is_worker() {
        return;
    }
    let summary = single("a_limit_that_evicts_is_exact", &Population::logins().evicting());
    assert_eq!(summary.logins + summary.refused, 200);
}

#[test]
fn a_limit_is_exact_when_processes_are_killed() {
    if is_worker() {
        return;
    }
    let population = Population::logins().evicting().killing(2);
    let summary = single("a_limit_is_exact_when_processes_are_killed", &population);
    assert_eq!(summary.kills, 2);
}

#[test]
fn a_limit_that_refuses_is_exact_in_a_cluster() {
    if is_worker() {
        return;
    }
    let summary = cluster("a_limit_that_refuses_is_exact_in_a_cluster", &Population::logins());
    assert_eq!((summary.logins, summary.refused), (3, 197));
}

#[test]
fn a_limit_that_evicts_is_exact_in_a_cluster() {
    if is_worker() {
        return;
    }
    let population = Population::logins().evicting();
    let summary = cluster("a_limit_that_evicts_is_exact_in_a_cluster", &population);
    assert_eq!(summary.logins + summary.refused, 200);
}

#[test]
fn a_limit_is_exact_when_processes_in_a_cluster_are_killed() {
    if is_worker() {
        return;
    }
    let population = Population::logins().evicting().killing(2);
    let summary = cluster("a_limit_is_exact_when_processes_in_a_cluster_are_killed", &population);
    assert_eq!(summary.kills, 2);
}

#[test]
fn ended_sessions_stay_dead_whatever_is_killed_or_cut() {
    if is_worker() {
        return;
    }
    let mut single = Single::that_keeps(&[Act::Cut, Act::GoSilent, Act::KillClients, Act::Restart]);
    let place = Place::single(single.proxy.url());
    let population = Population::torture(A_WHILE);
    let summary = run(
        "ended_sessions_stay_dead_whatever_is_killed_or_cut",
        &population,
        &place,
        Some(&mut single),
    );
    assert!(summary.end_alls > 0 && summary.kills > 0 && summary.strikes > 0);
}

#[test]
fn every_end_is_told_whatever_is_killed() {
    if is_worker() {
        return;
    }
    let population = Population::torture(A_WHILE).told_within(Duration::from_secs(5));
    let summary = single("every_end_is_told_whatever_is_killed", &population);
    assert!(summary.told > 0 && summary.kills > 0);
}

#[test]
fn ended_sessions_stay_dead_when_another_server_takes_over() {
    if is_worker() {
        return;
    }
    let mut group = Group(RedisSentinel::start());
    let place = Place::sentinel(group.0.urls()).durable(Durable::Everything);
    let population = Population::torture(A_WHILE).forgetting();
    let summary = run(
        "ended_sessions_stay_dead_when_another_server_takes_over",
        &population,
        &place,
        Some(&mut group),
    );
    assert!(summary.end_alls > 0 && summary.kills > 0 && summary.strikes > 0);
}

#[test]
fn ended_sessions_stay_dead_when_nodes_of_a_cluster_fail() {
    if is_worker() {
        return;
    }
    let mut nodes = Nodes(RedisCluster::start());
    let place = Place::cluster(nodes.0.urls()).durable(Durable::Everything);
    let population = Population::torture(A_WHILE).forgetting();
    let summary = run(
        "ended_sessions_stay_dead_when_nodes_of_a_cluster_fail",
        &population,
        &place,
        Some(&mut nodes),
    );
    assert!(summary.end_alls > 0 && summary.kills > 0 && summary.strikes > 0);
}
