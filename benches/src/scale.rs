//! Many tasks over one session, over some and over very many, on one thread and on two.

use crate::Failure;
use crate::contenders::{self, BARE, NULL};
use crate::crowd::{Crowd, Party, Round};
use crate::driver;
use crate::statistics::{interleave, median};
use crate::table::{Table, cell};

const CROWD: Crowd = Crowd {
    tasks: 256,
    requests: 24,
};
const ROUNDS: usize = 9;
const SESSIONS: [usize; 3] = [1, 1_000, 1_000_000];
const THREADS: [usize; 2] = [1, 2];

/// The results of one server's rounds.
#[derive(Default)]
pub(crate) struct Rounds {
    pub(crate) reads: Vec<Round>,
    pub(crate) writes: Vec<Round>,
}

pub(crate) fn run() -> Result<(), Failure> {
    println!(
        "{} tasks, each request for a session picked by chance; medians of {ROUNDS} interleaved rounds of",
        CROWD.tasks
    );
    println!(
        "{} requests. Rates are parts of what bare axum answers in the same round, and parts of what the null layer",
        CROWD.total()
    );
    println!("does. All have the same number of cookies, those without sessions too.\n");
    let mut table = Table::new([
        "server",
        "sessions",
        "threads",
        "reads",
        "changes",
        "reads, of null",
        "changes, of null",
        "reads/s",
        "changes/s",
        "kept of increments",
    ]);
    for sessions in SESSIONS {
        let mut parties = parties(contenders::in_memory(), sessions, CROWD);
        for threads in THREADS {
            let rounds = measure(&mut parties, threads, ROUNDS);
            report(&mut table, &mut parties, &rounds, [sessions, threads]);
        }
    }
    table.print();
    Ok(())
}

/// The servers of these names with so many sessions each.
pub(crate) fn parties(names: impl Iterator<Item = &'static str>, sessions: usize, crowd: Crowd) -> Vec<Party> {
    let runtime = driver::threads(2);
    let _entered = runtime.enter();
    let contenders = contenders::some(names, contenders::DAY).into_iter();
    contenders
        .map(|contender| Party::new(contender, sessions, crowd))
        .collect()
}

/// Has all of them read and change in turns, on so many threads.
pub(crate) fn measure(parties: &mut [Party], threads: usize, rounds: usize) -> Vec<Rounds> {
    let runtime = driver::threads(threads);
    let mut figures: Vec<_> = parties.iter().map(|_| Rounds::default()).collect();
    interleave(rounds, parties.len(), |index| {
        figures[index].reads.push(parties[index].round(&runtime, false));
        figures[index].writes.push(parties[index].round(&runtime, true));
    });
    figures
}

/// The median of the parts that the rounds of one are of those of another. Rounds of the same number were neighbours:
/// they are what is compared.
pub(crate) fn part(own: &[Round], other: &[Round], rate: fn(&Round) -> f64) -> f64 {
    let parts = own.iter().zip(other).map(|(own, other)| rate(own) / rate(other));
    median(parts.collect())
}

fn report(table: &mut Table, parties: &mut [Party], rounds: &[Rounds], [sessions, threads]: [usize; 2]) {
    let of = |name: &str, parties: &[Party]| parties.iter().position(|party| party.contender.name == name);
    let floors = [BARE, NULL].map(|name| of(name, parties));
    for (index, party) in parties.iter_mut().enumerate() {
        let kept = (!floors.contains(&Some(index))).then(|| party.kept());
        let Rounds { reads, writes } = &rounds[index];
        let parts = floors.iter().flatten().flat_map(|floor| {
            let floor = &rounds[*floor];
            [
                part(reads, &floor.reads, Round::rate),
                part(writes, &floor.writes, Round::rate),
            ]
        });
        let rates = [reads, writes].map(|rounds| median(rounds.iter().map(Round::rate).collect()));
        let names = [
            party.contender.name.to_owned(),
            sessions.to_string(),
            threads.to_string(),
        ];
        let cells = names
            .into_iter()
            .chain(parts.map(|part| format!("{part:.2}")))
            .chain(rates.map(|rate| format!("{rate:.0}")))
            .chain([cell(kept, |kept| format!("{kept} of {}", ROUNDS * CROWD.total()))]);
        table.row(cells);
    }
}
