//! The goals beside the current figures and the limit, in one run of a few minutes.

use std::collections::BTreeMap;

use crate::contenders::{self, LEAN, LEAN_GENERATOR, NULL, OURS, OURS_GENERATOR, PEER};
use crate::crowd::{Crowd, Round};
use crate::redis::cost::{self, Candidate, Kind, Row};
use crate::redis::ensure_server;
use crate::statistics::median;
use crate::table::{Table, cell};
use crate::{Failure, driver, number, quick, rounds, scale, scenarios, space};

/// The load on a million sessions. Its rounds are longer than in other commands, because CPU time is what counts.
const CROWD: Crowd = Crowd {
    tasks: 256,
    requests: 48,
};
const MILLION: usize = 1_000_000;
const ROUNDS: usize = 15;

/// The number of tasks in the goals for Redis.
const TASKS: usize = 64;

pub(crate) fn run() -> Result<(), Failure> {
    ensure_server()?;
    println!(
        "Thread CPU time of requests in memory; rates for a second of CPU time over a million sessions; rates on the"
    );
    println!(
        "wall and the server's CPU time in Redis. Parts of others are over bare axum, but where the null layer is named.\n"
    );
    let mut goals = Goals {
        table: Table::new(["", "goal", "is", "", "limit"]),
    };
    in_memory(&mut goals)?;
    a_million(&mut goals);
    space(&mut goals)?;
    in_redis(&mut goals)?;
    goals.table.print();
    Ok(())
}

/// The table of goals.
struct Goals {
    table: Table,
}

impl Goals {
    /// Adds a figure that is better if it is smaller.
    fn at_most(&mut self, what: &str, digits: usize, goal: Option<f64>, is: f64, limit: Option<f64>) {
        self.row(
            what,
            digits,
            goal,
            is,
            limit,
            goal.is_some_and(|goal| round(is, digits) <= goal),
        );
    }

    /// Adds a figure that is better if it is larger.
    fn at_least(&mut self, what: &str, goal: f64, is: f64, limit: Option<f64>) {
        self.row(what, 2, Some(goal), is, limit, round(is, 2) >= goal);
    }

    fn row(&mut self, what: &str, digits: usize, goal: Option<f64>, is: f64, limit: Option<f64>, is_reached: bool) {
        let show = |figure: f64| format!("{figure:.digits$}");
        let verdict = goal.map(|_| if is_reached { "reached" } else { "missed" });
        self.table.row([
            what.to_owned(),
            cell(goal, show),
            show(is),
            cell(verdict, str::to_owned),
            cell(limit, show),
        ]);
    }
}

/// Rounds a figure as it is displayed.
fn round(figure: f64, digits: usize) -> f64 {
    let unit = 10_f64.powi(digits as i32);
    (figure * unit).round() / unit
}

fn in_memory(goals: &mut Goals) -> Result<(), Failure> {
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let mut allocations = Vec::new();
    for scenario in scenarios::quick() {
        let contenders = contenders::quick_and_generators(None);
        let times: BTreeMap<_, _> = rounds::measure(&scenario, contenders, quick::SIZE)
            .iter()
            .map(|figures| (figures.name, figures.processor.as_nanos() as f64))
            .collect();
        let over = |name: &str, floor: &str| Some(times.get(name)? - times.get(floor)?);
        let over_null = |name: &str| over(name, NULL);
        let of_peer = |name: &str| Some(over(name, contenders::BARE)? / over(PEER, contenders::BARE)?.max(1.0));
        let figures = |name: &str, of: &dyn Fn(&str) -> Option<f64>| of(name).unwrap_or(f64::NAN);
        match scenario.short {
            "untouched" | "cookie" => {
                let goal = if scenario.short == "cookie" { 150.0 } else { 110.0 };
                let what = format!("{}: ns over the null layer", scenario.name);
                goals.at_most(&what, 0, Some(goal), figures(OURS, &over_null), over_null(LEAN));
                continue;
            }
            "create" => {
                let what = "create, the system's entropy: of tower-sessions";
                goals.at_most(what, 2, Some(0.85), figures(OURS, &of_peer), of_peer(LEAN));
                let what = "create, a generator: of tower-sessions";
                goals.at_most(
                    what,
                    2,
                    Some(0.65),
                    figures(OURS_GENERATOR, &of_peer),
                    of_peer(LEAN_GENERATOR),
                );
            }
            short => {
                let goal = match short {
                    "read" => Some(0.45),
                    "write" => Some(0.38),
                    _ => None,
                };
                let what = format!("{}: of tower-sessions", scenario.name);
                goals.at_most(&what, 2, goal, figures(OURS, &of_peer), of_peer(LEAN));
            }
        }
        allocations.push(scenario);
    }
    for scenario in allocations {
        let goal = match scenario.short {
            "read" => Some(5.0),
            "write" => Some(6.0),
            "create" => Some(9.0),
            _ => None,
        };
        let count = |name: &str| rounds::allocations(&scenario, name).map(|(count, _)| count as f64);
        let floor = count(contenders::BARE)?;
        let what = format!("{}: allocations over the floor", scenario.name);
        goals.at_most(&what, 0, goal, count(OURS)? - floor, Some(count(LEAN)? - floor));
    }
    Ok(())
}

fn a_million(goals: &mut Goals) {
    let mut participants = scale::participants([NULL, OURS, LEAN].into_iter(), MILLION, CROWD);
    let figures = scale::measure(&mut participants, 2, ROUNDS);
    if let [null, ours, lean] = figures.as_slice() {
        let part = |own: &[Round], null: &[Round]| scale::part(own, null, Round::cpu_rate);
        let what = "a million sessions, 2 threads, reads: of the null layer";
        goals.at_least(
            what,
            0.40,
            part(&ours.reads, &null.reads),
            Some(part(&lean.reads, &null.reads)),
        );
        let what = "a million sessions, 2 threads, changes: of the null layer";
        goals.at_least(
            what,
            0.38,
            part(&ours.writes, &null.writes),
            Some(part(&lean.writes, &null.writes)),
        );
    }
}

fn space(goals: &mut Goals) -> Result<(), Failure> {
    let [ours, lean] = [space::stored(OURS)?, space::stored(LEAN)?].map(|text| {
        let numbers = text.split_whitespace().map(number::<f64>);
        numbers.collect::<Result<Vec<_>, _>>()
    });
    if let ([ours, ours_read], [lean, lean_read]) = (ours?.as_slice(), lean?.as_slice()) {
        goals.at_most("heap of a session, bytes", 0, Some(250.0), *ours, Some(*lean));
        goals.at_most(
            "heap of a session that was read, bytes",
            0,
            Some(250.0),
            *ours_read,
            Some(*lean_read),
        );
    }
    Ok(())
}

fn in_redis(goals: &mut Goals) -> Result<(), Failure> {
    let rows = cost::measure(ROUNDS)?;
    let find = |who: Candidate, kind: Kind| {
        let fits = |row: &&Row| row.who == who && row.kind == kind && row.tasks == TASKS;
        rows.iter().find(fits).ok_or("every contender is measured")
    };
    let of = |own: &Row, other: &Row| {
        let parts = own.rates.iter().zip(&other.rates).map(|(own, other)| own / other);
        median(parts.collect())
    };
    let (ours, bare, peer, actix) = (
        Candidate::Sessile,
        Candidate::Bare,
        Candidate::TowerSessions,
        Candidate::ActixSession,
    );
    let (update, unsafe_change) = (find(ours, Kind::Update)?, find(peer, Kind::Change)?);
    let commands = find(bare, Kind::Change)?;
    let limit = Some(of(commands, unsafe_change));
    goals.at_least(
        "Redis, update: of tower-sessions",
        1.0,
        of(update, unsafe_change),
        limit,
    );
    let processor = |row: &Row| median(row.processor.clone());
    let what = "Redis, update: commands";
    goals.at_most(what, 1, Some(5.0), update.commands, Some(commands.commands));
    let what = "Redis, update: us of the server";
    goals.at_most(what, 1, Some(7.5), processor(update), Some(processor(commands)));
    let what = "Redis, GET and SET of tower-sessions: us of the server";
    goals.at_most(what, 1, None, processor(unsafe_change), Some(processor(commands)));
    let change = find(ours, Kind::Change)?;
    let what = "Redis, change under start(): of tower-sessions";
    goals.at_most(what, 2, None, of(change, unsafe_change), limit);
    let what = "Redis, change under start(): commands";
    goals.at_most(what, 1, Some(8.0), change.commands, Some(commands.commands));
    let what = "Redis, change under start(): us of the server";
    goals.at_most(what, 1, Some(11.5), processor(change), Some(processor(commands)));
    for (kind, of_peer, of_actix) in [(Kind::Read, 2.0, 1.0), (Kind::Create, 1.6, 0.9)] {
        let (own, commands) = (find(ours, kind)?, find(bare, kind)?);
        for (who, name, goal) in [(peer, "tower-sessions", of_peer), (actix, "actix-session", of_actix)] {
            let other = find(who, kind)?;
            let what = format!("Redis, {}: of {name}", kind.name());
            goals.at_least(&what, goal, of(own, other), Some(of(commands, other)));
        }
    }
    Ok(())
}
