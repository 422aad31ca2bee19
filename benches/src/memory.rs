//! Eleven kinds of requests to all servers with local sessions, on one thread.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::contenders::{self, BARE};
use crate::rounds::{self, Size};
use crate::table::{Table, cell};
use crate::{Failure, driver, scenarios};

const SIZE: Size = Size {
    rounds: 101,
    requests: 100,
    waiting: 3,
};

/// The figures of one server for one kind of request.
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
        let contenders = contenders::some(contenders::names(), contenders::DAY);
        let mut cells = BTreeMap::new();
        for figures in rounds::measure(&scenario, contenders, SIZE) {
            let (allocations, bytes) = rounds::allocations(&scenario, figures.name)?;
            let cell = Cell {
                processor: figures.processor,
                wall: figures.wall,
                allocations,
                bytes,
            };
            cells.insert(figures.name, cell);
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

/// The cells of a row, by server.
type Row = (&'static str, BTreeMap<&'static str, Cell>);

fn print(title: &str, rows: &[Row], figure: impl Fn(&Cell) -> i64) {
    let others: Vec<_> = contenders::names().filter(|name| *name != BARE).collect();
    let mut table = Table::new([vec![title], others.clone(), vec![BARE]].concat());
    for (name, cells) in rows {
        let figure = |server: &str| cells.get(server).map(&figure);
        let floor = figure(BARE);
        let over = |server: &&str| {
            cell(figure(server).zip(floor), |(figure, floor)| {
                (figure - floor).to_string()
            })
        };
        let cells = others.iter().map(over).chain([cell(floor, |floor| floor.to_string())]);
        table.row(std::iter::once((*name).to_owned()).chain(cells));
    }
    table.print();
}
