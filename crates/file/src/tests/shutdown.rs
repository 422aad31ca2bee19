//! A runtime that shuts down does not wait for a running operation, and the operation completes all the same.

use std::io;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sessile_core::Storage;

use super::at::At;
use super::common::TempFolder;
use super::operation::Operation;
use super::scenario::{Scenario, clock, open};
use crate::folder::disk::Call;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_runtime_does_not_wait_for_a_running_operation() {
    let folder = TempFolder::new();
    let (begun, has_begun) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let halt = At::new(0, move |_: Call<'_>| -> io::Result<()> {
        let _ = begun.send(());
        let _ = may_go_on.lock().expect("the gate").recv_timeout(2 * SOON);
        Ok(())
    });
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().expect("a runtime")
    };
    let storage = open(folder.path(), clock(), |builder| builder.probe(halt.clone()));
    let scenario = Arc::new(Scenario::new(Operation::Create));
    let first = runtime();
    first.block_on(scenario.prepare(&storage, folder.path()));
    halt.arm(true);
    first.spawn({
        let (storage, scenario) = (storage.clone(), scenario.clone());
        async move { scenario.run(&storage, &mut None).await }
    });
    has_begun.recv_timeout(SOON).expect("the operation has begun");

    let (ended, has_ended) = channel();
    std::thread::spawn(move || {
        drop(first);
        let _ = ended.send(());
    });
    let ended = has_ended.recv_timeout(SOON);
    drop(go_on);
    ended.expect("the runtime waits for an operation");
    let second = runtime();
    second.block_on(async {
        let began = Instant::now();
        while !storage.read(&scenario.key).await.expect("read").is_found() {
            assert!(began.elapsed() < SOON, "a running operation is not completed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
