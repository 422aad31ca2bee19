//! Many tasks on one session, on some and on very many, on one thread and on two.

use crate::Failure;
use crate::contenders::{self, BARE, NULL};
use crate::crowd::{Crowd, Participant, Round};
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

/// The results of one server over all rounds.
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
        "{} requests. Rates are parts of what bare axum serves in the same round, and parts of what the null layer",
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
        let mut participants = participants(contenders::in_memory(), sessions, CROWD);
        for threads in THREADS {
            let rounds = measure(&mut participants, threads, ROUNDS);
            report(&mut table, &mut participants, &rounds, [sessions, threads]);
        }
    }
    table.print();
    Ok(())
}

/// Returns the servers of these names with this number of sessions each.
pub(crate) fn participants(
    names: impl Iterator<Item = &'static str>,
    sessions: usize,
    crowd: Crowd,
) -> Vec<Participant> {
    let runtime = driver::threads(2);
    let _entered = runtime.enter();
    let contenders = contenders::some(names, contenders::DAY).into_iter();
    contenders
        .map(|contender| Participant::new(contender, sessions, crowd))
        .collect()
}

/// Lets all servers read and change in interleaved rounds, on this number of threads.
pub(crate) fn measure(participants: &mut [Participant], threads: usize, rounds: usize) -> Vec<Rounds> {
    let runtime = driver::threads(threads);
    let mut figures: Vec<_> = participants.iter().map(|_| Rounds::default()).collect();
    interleave(rounds, participants.len(), |index| {
        figures[index].reads.push(participants[index].round(&runtime, false));
        figures[index].writes.push(participants[index].round(&runtime, true));
    });
    figures
}

/// Returns the median of the ratios of the rounds of two servers. Compares rounds of the same number, as these ran next
/// to each other.
pub(crate) fn part(own: &[Round], other: &[Round], rate: fn(&Round) -> f64) -> f64 {
    let parts = own.iter().zip(other).map(|(own, other)| rate(own) / rate(other));
    median(parts.collect())
}

fn report(table: &mut Table, participants: &mut [Participant], rounds: &[Rounds], [sessions, threads]: [usize; 2]) {
    let of = |name: &str, participants: &[Participant]| {
        participants
            .iter()
            .position(|participant| participant.contender.name == name)
    };
    let floors = [BARE, NULL].map(|name| of(name, participants));
    for (index, participant) in participants.iter_mut().enumerate() {
        let kept = (!floors.contains(&Some(index))).then(|| participant.kept());
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
            participant.contender.name.to_owned(),
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
