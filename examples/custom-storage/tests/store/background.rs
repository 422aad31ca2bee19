//! What blocks does not block others.

use sessile_core::{Applied, RecordStore};

use crate::support::{Disk, entry, key, store_on};

/// The runtime has one thread. If the disk were waited for on it, nobody would be there to let the disk go on.
#[tokio::test]
async fn a_disk_that_stands_still_holds_no_other_task_up() {
    let disk = Disk::new();
    let store = store_on(&disk);
    let key = key();
    disk.stop();
    let insert = store.insert(&key, entry(1, None, "here"));
    let others = async { disk.go_on() };
    let (inserted, ()) = tokio::join!(insert, others);
    assert_eq!(inserted.unwrap(), Applied::Yes);
}

/// Threads that may block are few. Those who wait to write must not take them from those who read.
#[test]
fn those_who_wait_to_write_keep_no_reader_waiting() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(2)
        .build();
    runtime.unwrap().block_on(async {
        let disk = Disk::new();
        let store = store_on(&disk);
        let key = key();
        assert_eq!(store.insert(&key, entry(1, None, "here")).await.unwrap(), Applied::Yes);

        disk.stop();
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            writers.spawn(async move { store.insert(&crate::support::key(), entry(1, None, "new")).await });
        }
        // Every writer gets as far as it can.
        tokio::task::yield_now().await;
        assert!(store.load(&key).await.unwrap().is_some());

        disk.go_on();
        while let Some(inserted) = writers.join_next().await {
            assert_eq!(inserted.unwrap().unwrap(), Applied::Yes);
        }
    });
}
