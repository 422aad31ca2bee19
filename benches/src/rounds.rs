//! Times of one kind of request, taken in turns.

use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};

use crate::contenders::Contender;
use crate::heap;
use crate::scenarios::Scenario;
use crate::statistics::{interleave, median_time};
use crate::{Failure, number};

/// What one request to one server takes.
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    /// Processor time: of the thread, or of the whole process where others do a part of the work.
    pub(crate) processor: Duration,
    /// Time on the wall.
    pub(crate) wall: Duration,
}

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: usize,
    /// Requests a round, to those who need not wait.
    pub(crate) requests: usize,
    /// Requests a round, to those who wait for a disk.
    pub(crate) waiting: usize,
}

/// The medians for each of those that know such requests, in their order.
pub(crate) fn measure(scenario: &Scenario, mut contenders: Vec<Contender>, size: Size) -> Vec<Figures> {
    contenders.retain(|contender| contender.does(scenario.short));
    // Warm up whatever is made once.
    for contender in &mut contenders {
        round(scenario, contender, size);
    }
    let mut times = vec![(Vec::new(), Vec::new()); contenders.len()];
    interleave(size.rounds, contenders.len(), |index| {
        let (processor, wall) = round(scenario, &mut contenders[index], size);
        times[index].0.push(processor);
        times[index].1.push(wall);
    });
    let figures = contenders
        .iter()
        .zip(times)
        .map(|(contender, (processor, wall))| Figures {
            name: contender.name,
            processor: median_time(processor),
            wall: median_time(wall),
        });
    figures.collect()
}

/// Processor time and time on the wall of each request of a round.
fn round(scenario: &Scenario, contender: &mut Contender, size: Size) -> (Duration, Duration) {
    let requests = if contender.waits { size.waiting } else { size.requests };
    let asks = scenario.asks(contender, requests);
    let asks = asks.iter().cycle().take(requests);
    let (wall, thread, process) = (Instant::now(), ThreadTime::now(), ProcessTime::now());
    for ask in asks {
        drop(ask.send(contender));
    }
    let (thread, process, wall) = (thread.elapsed(), process.elapsed(), wall.elapsed());
    let processor = if contender.waits { process } else { thread };
    (processor / requests as u32, wall / requests as u32)
}

/// What one request allocates, as the program that counts has it: how often, and how many bytes.
pub(crate) fn allocations(scenario: &Scenario, server: &str) -> Result<(usize, usize), Failure> {
    let text = heap::output(&mut heap::counted(&["counted", scenario.short, server])?)?;
    let (allocations, bytes) = text.trim().split_once(' ').ok_or("two numbers were expected")?;
    Ok((number(allocations)?, number(bytes)?))
}
