//! Interleaved measurements of one kind of request.

use std::time::{Duration, Instant};

use cpu_time::{ProcessTime, ThreadTime};

use crate::contenders::Contender;
use crate::heap;
use crate::scenarios::Scenario;
use crate::statistics::{interleave, median_time};
use crate::{Failure, number};

/// The cost of one request to one server.
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    /// CPU time: of the thread, or of the whole process if other threads do part of the work.
    pub(crate) processor: Duration,
    /// Wall time.
    pub(crate) wall: Duration,
}

/// The size of a measurement.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: usize,
    /// The number of requests in a round, for servers that need not wait.
    pub(crate) requests: usize,
    /// The number of requests in a round, for servers that wait for a disk.
    pub(crate) waiting: usize,
}

/// Returns the medians of the servers that support this kind of request, in their order.
pub(crate) fn measure(scenario: &Scenario, mut contenders: Vec<Contender>, size: Size) -> Vec<Figures> {
    contenders.retain(|contender| contender.supports(scenario.short));
    // Warm up one-time initialisation.
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

/// Returns the CPU time and the wall time per request of a round.
fn round(scenario: &Scenario, contender: &mut Contender, size: Size) -> (Duration, Duration) {
    let requests = if contender.waits { size.waiting } else { size.requests };
    let specs = scenario.specs(contender, requests);
    let specs = specs.iter().cycle().take(requests);
    let (wall, thread, process) = (Instant::now(), ThreadTime::now(), ProcessTime::now());
    for spec in specs {
        drop(spec.send(contender));
    }
    let (thread, process, wall) = (thread.elapsed(), process.elapsed(), wall.elapsed());
    let processor = if contender.waits { process } else { thread };
    (processor / requests as u32, wall / requests as u32)
}

/// Returns the number of allocations and bytes of one request, measured by the counting program.
pub(crate) fn allocations(scenario: &Scenario, server: &str) -> Result<(usize, usize), Failure> {
    let text = heap::output(&mut heap::counted(&["counted", scenario.short, server])?)?;
    let (allocations, bytes) = text.trim().split_once(' ').ok_or("two numbers were expected")?;
    Ok((number(allocations)?, number(bytes)?))
}
