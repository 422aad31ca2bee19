//! Real sockets: the server in this process and the client in another one, each with one thread.

pub(crate) mod load;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::contenders::{self, Contender};
use crate::statistics::{interleave, median};
use crate::table::Table;
use crate::{Failure, driver, heap};

const CONNECTIONS: [usize; 2] = [64, 1_000];
const ROUNDS: usize = 7;

pub(crate) fn run() -> Result<(), Failure> {
    println!(
        "{ROUNDS} interleaved rounds of {} s; each connection is a visitor of its own, who reads his number",
        load::SECONDS
    );
    println!(
        "{} times and then adds one to it, again and again. Medians of the rounds; milliseconds.\n",
        load::READS
    );
    let mut table = Table::new(["server", "connections", "requests/s", "of bare", "p50", "p99", "p99.9"]);
    allow_files();
    let runtime = driver::threads(1);
    let program = std::env::current_exe().map_err(|error| format!("the path of this program is unknown: {error}"))?;
    for connections in CONNECTIONS {
        let contenders = {
            let _entered = runtime.enter();
            contenders::quick(contenders::DAY)
        };
        let mut ports = Vec::new();
        for contender in &contenders {
            ports.push(serve(&runtime, contender.clone())?);
        }
        let mut figures = vec![Vec::new(); contenders.len()];
        let mut failure = None;
        interleave(ROUNDS, contenders.len(), |index| {
            let mut command = std::process::Command::new(&program);
            command.args(["sockets", "load", &ports[index].to_string(), &connections.to_string()]);
            match heap::output(&mut command).and_then(|text| load::Figures::parse(&text)) {
                Ok(round) => figures[index].push(round),
                Err(error) => failure = Some(error),
            }
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let rates = |index: usize| figures[index].iter().map(|round: &load::Figures| round.rate);
        for (index, contender) in contenders.iter().enumerate() {
            let of = |figure: fn(&load::Figures) -> f64| median(figures[index].iter().map(figure).collect());
            table.row([
                contender.name.to_owned(),
                connections.to_string(),
                format!("{:.0}", median(rates(index).collect())),
                format!(
                    "{:.2}",
                    median(rates(index).zip(rates(0)).map(|(rate, bare)| rate / bare).collect())
                ),
                format!("{:.2}", of(|round| round.p50)),
                format!("{:.2}", of(|round| round.p99)),
                format!("{:.2}", of(|round| round.p999)),
            ]);
        }
    }
    table.print();
    Ok(())
}

/// Serves on a port of its own for as long as the runtime lives.
fn serve(runtime: &Runtime, contender: Contender) -> Result<u16, Failure> {
    let no_port = |error: std::io::Error| format!("there is no port to be had: {error}");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).map_err(no_port)?;
    let port = listener.local_addr().map_err(no_port)?.port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(contender.serve(stream));
        }
    });
    Ok(port)
}

/// Raises the limit of open files as far as the system allows: each connection needs one.
fn allow_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If the limit is too low, connections fail and report that.
    let _ = setrlimit(Resource::Nofile, limit);
}
