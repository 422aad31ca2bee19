//! Fills a folder with a million sessions and measures each operation before and after.
//!
//! ```text
//! cargo run --release -p sessile-file --example million -- FOLDER [SESSIONS]
//! ```

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use sessile_core::{Meta, OsEntropy, Record, SessionId, SessionKey, Storage};
use sessile_file::{Durability, FileStorage};

/// The number of measurements of each operation.
const SAMPLES: usize = 2_000;

const TASKS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let sessions: usize = arguments.next().as_deref().unwrap_or("1000000").parse()?;
    let folder = Path::new(&folder);

    println!("empty");
    measure(folder, SAMPLES).await?;

    let began = Instant::now();
    let storage = FileStorage::builder(folder)
        .durability(Durability::Relaxed)
        .sweep_every(None)
        .open()?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        let storage = storage.clone();
        tasks.spawn(async move {
            for _ in 0..sessions / TASKS {
                create(&storage).await?;
            }
            Ok::<_, sessile_core::StorageError>(())
        });
    }
    while let Some(filled) = tasks.join_next().await {
        filled??;
    }
    println!("\nfilled with {sessions} in {:.1?}", began.elapsed());
    drop(storage);
    measure(folder, SAMPLES).await?;

    let storage = FileStorage::builder(folder).sweep_every(None).open()?;
    let (began, mut cursor, mut listed, mut slowest) = (Instant::now(), None, 0, Duration::ZERO);
    loop {
        let page_began = Instant::now();
        let page = storage.scan(cursor, 1_000).await?;
        slowest = slowest.max(page_began.elapsed());
        listed += page.sessions.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    println!(
        "scan of {listed}: {:.1?} in all, {slowest:.1?} for the slowest page of 1,000",
        began.elapsed()
    );
    let began = Instant::now();
    let swept = storage.sweep(usize::MAX).await?.len();
    println!("sweep of all, {swept} expired: {:.1?}", began.elapsed());
    Ok(())
}

async fn create(storage: &FileStorage) -> Result<SessionKey, sessile_core::StorageError> {
    let key = SessionId::generate(&OsEntropy).key();
    let now = storage.clock().now();
    let meta = Meta::new(now).with_deadline(Some(now + Duration::from_secs(86_400)));
    storage.create(&key, Record::new(meta, vec![b'x'; 500])).await?;
    Ok(key)
}

/// Measures the operations on this folder, one after the other.
async fn measure(folder: &Path, samples: usize) -> Result<(), Box<dyn Error>> {
    for durability in [Durability::Relaxed, Durability::Sync] {
        let began = Instant::now();
        let storage = FileStorage::builder(folder)
            .durability(durability)
            .sweep_every(None)
            .open()?;
        println!("  {durability:?}: open {:.1?}", began.elapsed());
        let mut keys = Vec::new();
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..samples {
            let began = Instant::now();
            keys.push(create(&storage).await?);
            times[0].push(began.elapsed());
        }
        for key in &keys {
            let began = Instant::now();
            let read = storage.read(key).await?;
            times[1].push(began.elapsed());
            read.found().ok_or("a session is missing")?;

            let began = Instant::now();
            storage.read(&SessionId::generate(&OsEntropy).key()).await?;
            times[2].push(began.elapsed());

            let began = Instant::now();
            let mut locked = storage
                .lock(key, Duration::ZERO)
                .await?
                .found()
                .ok_or("a session is missing")?;
            storage.commit(&mut locked.lock, locked.record.clone()).await?;
            times[3].push(began.elapsed());

            let began = Instant::now();
            storage.destroy(key).await?;
            times[4].push(began.elapsed());
        }
        for (what, times) in ["create", "read", "read, missing", "lock and commit", "destroy"]
            .iter()
            .zip(&mut times)
        {
            times.sort_unstable();
            let at = |part: usize| times[(times.len() - 1) * part / 100];
            println!("    {what:16} median {:>9.1?}   99 % {:>9.1?}", at(50), at(99));
        }
    }
    Ok(())
}
