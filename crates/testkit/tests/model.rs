//! The model keeps the contract, in every kind of time and behind every wrapper.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{ManualClock, Storage, SystemClock, Timestamp};
use sessile_testkit::{Counting, Faulty, ModelStorage, Profile, Slow, Subject, storage_tests};

fn subject_of(model: ModelStorage, profile: Profile) -> Subject {
    let observed = model.clone();
    let profile = profile.with_max_waiters(8).with_usage();
    Subject::new(model.clone(), profile)
        .with_second(model)
        .with_footprint(move || std::future::ready(observed.footprint()))
}

mod paused {
    use super::*;

    async fn subject() -> Subject {
        subject_of(ModelStorage::new().with_max_waiters(8), Profile::paused())
    }

    storage_tests!(subject);
}

mod manual {
    use super::*;

    async fn subject() -> Subject {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let model = ModelStorage::new().with_max_waiters(8).with_clock(Arc::clone(&clock));
        subject_of(model, Profile::manual(move |time| clock.advance(time)))
    }

    storage_tests!(subject);
}

mod real {
    use super::*;

    async fn subject() -> Subject {
        let short = Duration::from_secs(2);
        let model = ModelStorage::new()
            .with_clock(SystemClock)
            .with_lease(short)
            .with_tombstone_ttl(short)
            .with_max_waiters(8);
        subject_of(model, Profile::real().with_tombstone_ttl(short))
    }

    storage_tests!(subject);
}

/// Wrappers without settings change nothing, even on a storage of unknown type.
mod wrapped {
    use super::*;

    async fn subject() -> Subject {
        let model: Arc<dyn Storage> = Arc::new(ModelStorage::new().with_max_waiters(8));
        let wrapped = Counting::new(Slow::new(Faulty::shared(model)));
        Subject::new(wrapped, Profile::paused().with_max_waiters(8).with_usage())
    }

    storage_tests!(subject);
}
