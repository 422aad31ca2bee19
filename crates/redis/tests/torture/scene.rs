//! [`Scene`]: servers, and the faults of them and of the workers.

use sessile_lab::redis::{RedisCluster, RedisSentinel};
use sessile_testkit::torture::Disturbance;

use crate::group::Group;
use crate::place::{Durable, Place};
use crate::relay::Relay;
use crate::single::{Act, Single};
use crate::slots::{OpenSlots, Slots};

/// Servers, and the faults of them and of the workers.
pub(crate) struct Scene {
    pub(crate) place: Place,
    pub(crate) disturbance: Box<dyn Disturbance>,
    /// True if workers are killed.
    pub(crate) kills: bool,
    /// True if workers are stopped for a while.
    pub(crate) stops: bool,
    /// The number of workers that are stopped at once.
    pub(crate) together: u64,
}

impl Scene {
    fn new(place: Place, disturbance: impl Disturbance + 'static) -> Self {
        Self {
            place,
            disturbance: Box::new(disturbance),
            kills: false,
            stops: false,
            together: 1,
        }
    }
}

pub(crate) fn kill() -> Scene {
    Scene {
        kills: true,
        ..single(Single::that_forgets(&[Act::Nothing]))
    }
}

pub(crate) fn stop() -> Scene {
    Scene {
        stops: true,
        ..single(Single::that_forgets(&[Act::Nothing]))
    }
}

pub(crate) fn freeze() -> Scene {
    Scene { together: 3, ..stop() }
}

pub(crate) fn stall() -> Scene {
    single(Single::that_forgets(&[Act::Stall]))
}

pub(crate) fn client_kill() -> Scene {
    single(Single::that_forgets(&[Act::KillClients]))
}

pub(crate) fn script_flush() -> Scene {
    single(Single::that_forgets(&[Act::FlushScripts]))
}

pub(crate) fn restart() -> Scene {
    single(Single::that_keeps(&[Act::Restart]))
}

pub(crate) fn restart_empty() -> Scene {
    single(Single::that_forgets(&[Act::Restart]))
}

pub(crate) fn cut() -> Scene {
    single(Single::that_forgets(&[Act::Cut]))
}

pub(crate) fn half_open() -> Scene {
    single(Single::that_forgets(&[Act::GoSilent]))
}

pub(crate) fn latency() -> Scene {
    single(Single::that_forgets(&[Act::Lag]))
}

pub(crate) fn full() -> Scene {
    single(Single::that_forgets(&[Act::Fill]))
}

pub(crate) fn everything() -> Scene {
    use Act::{Cut, Fill, FlushScripts, GoSilent, KillClients, Lag, Restart, Stall};
    Scene {
        kills: true,
        stops: true,
        ..single(Single::that_keeps(&[
            KillClients,
            FlushScripts,
            Restart,
            Cut,
            GoSilent,
            Lag,
            Fill,
            Stall,
        ]))
    }
}

fn single(single: Single) -> Scene {
    Scene::new(Place::single(single.proxy.url()), single)
}

pub(crate) fn slots() -> Scene {
    let cluster = RedisCluster::start();
    Scene::new(Place::cluster(cluster.urls()), Slots(cluster))
}

pub(crate) fn open_slots() -> Scene {
    let cluster = RedisCluster::start();
    Scene::new(Place::cluster(cluster.urls()), OpenSlots(cluster))
}

pub(crate) fn demoted() -> Scene {
    let relay = Relay::start();
    Scene::new(Place::single(relay.url()), relay)
}

pub(crate) fn failover() -> Scene {
    group(Durable::Nothing)
}

pub(crate) fn failover_durable() -> Scene {
    group(Durable::Ends)
}

pub(crate) fn failover_durable_commits() -> Scene {
    group(Durable::Everything)
}

fn group(durable: Durable) -> Scene {
    let group = RedisSentinel::start();
    let place = Place::sentinel(group.urls()).durable(durable);
    Scene::new(place, Group(group))
}
