//! Ten kinds of requests to everybody who has his sessions here, on one thread.

use std::time::Duration;

use crate::rounds::{self, Size};
use crate::table::Table;
use crate::{Failure, contenders, driver, scenarios};

const SIZE: Size = Size {
    rounds: 101,
    requests: 100,
    waiting: 3,
};

/// The figures of one kind of request to one server.
struct Cell {
    processor: Duration,
    wall: Duration,
    allocations: usize,
    bytes: usize,
}

pub(crate) fn run() -> Result<(), Failure> {
    let Size {
        rounds,
        requests,
        waiting,
    } = SIZE;
    println!("{rounds} interleaved rounds of {requests} requests ({waiting} where each waits for a disk), one thread.");
    println!(
        "Medians per request, over the floor, which stands in the last column: the same server without sessions.\n"
    );
    let runtime = driver::runtime();
    let _entered = runtime.enter();
    let mut rows = Vec::new();
    for scenario in scenarios::all() {
        let mut contenders = contenders::some(contenders::names(), contenders::DAY);
        let mut cells = Vec::new();
        for figures in rounds::measure(&scenario, &mut contenders, SIZE) {
            let (allocations, bytes) = rounds::allocations(&scenario, figures.name)?;
            cells.push(Cell {
                processor: figures.processor,
                wall: figures.wall,
                allocations,
                bytes,
            });
        }
        rows.push((scenario.name, cells));
    }
    let nanoseconds = |time: Duration| time.as_nanos() as i64;
    print("CPU time, ns", &rows, |cell| nanoseconds(cell.processor));
    print("time on the wall, ns", &rows, |cell| nanoseconds(cell.wall));
    print("allocations", &rows, |cell| cell.allocations as i64);
    print("bytes allocated", &rows, |cell| cell.bytes as i64);
    Ok(())
}

fn print(title: &str, rows: &[(&str, Vec<Cell>)], figure: impl Fn(&Cell) -> i64) {
    let (floor, others): (Vec<_>, Vec<_>) = contenders::names().partition(|name| name.starts_with("bare"));
    let mut table = Table::new([vec![title], others, floor].concat());
    for (name, cells) in rows {
        let Some((floor, others)) = cells.split_first() else {
            continue;
        };
        let floor = figure(floor);
        let others = others.iter().map(|cell| (figure(cell) - floor).to_string());
        table.row([vec![(*name).to_owned()], others.collect(), vec![floor.to_string()]].concat());
    }
    table.print();
}
