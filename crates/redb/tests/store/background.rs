//! A blocked disk does not block other tasks.

use sessile_core::{Applied, RecordStore};

use crate::support::{Disk, entry, key, store_on};

/// The runtime has one thread. If a write blocked it, the task that unblocks the disk could not run.
#[tokio::test]
async fn a_blocked_disk_holds_up_no_other_task() {
    let disk = Disk::new();
    let store = store_on(&disk);
    let key = key();
    disk.block();
    let insert = store.insert(&key, entry(1, None, "here"));
    let others = async { disk.unblock() };
    let (inserted, ()) = tokio::join!(insert, others);
    assert_eq!(inserted.unwrap(), Applied::Yes);
}

/// Blocking threads are few. Waiting writers must not take them from readers.
#[test]
fn waiting_writers_keep_no_reader_waiting() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(2)
        .build();
    runtime.unwrap().block_on(async {
        let disk = Disk::new();
        let store = store_on(&disk);
        let key = key();
        assert_eq!(store.insert(&key, entry(1, None, "here")).await.unwrap(), Applied::Yes);

        disk.block();
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            writers.spawn(async move { store.insert(&crate::support::key(), entry(1, None, "new")).await });
        }
        // Every writer runs until it waits.
        tokio::task::yield_now().await;
        assert!(store.load(&key).await.unwrap().is_some());

        disk.unblock();
        while let Some(inserted) = writers.join_next().await {
            assert_eq!(inserted.unwrap().unwrap(), Applied::Yes);
        }
    });
}
