//! Actions of other visits during a transaction, on an immediate storage and on one that waits.

use std::time::Duration;

use serde_json::json;
use sessile_core::{Expiration, InSession, Session, SessionError};
use sessile_memory::MemoryStorage;

use super::Case;
use crate::Runs;
use crate::add;
use crate::common::*;

/// The action of another visit between the read and the write of a transaction.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    /// Takes the lock and releases it.
    Releases,
    /// Closes without a change.
    ClosesUnchanged,
    Writes,
    /// Holds the lock for a while, and other visits wait for it.
    Holds,
    SetsExpiration,
    Destroys,
    Rotates,
    /// Destroys the session and begins another one.
    LogsOut,
}

impl Between {
    const ALL: [Self; 9] = [
        Self::Nothing,
        Self::Releases,
        Self::ClosesUnchanged,
        Self::Writes,
        Self::Holds,
        Self::SetsExpiration,
        Self::Destroys,
        Self::Rotates,
        Self::LogsOut,
    ];

    async fn act(self, other: &Session) -> Result<(), SessionError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Releases => {
                other.start().await?;
                other.set("other", json!(0))?;
                other.release().await
            }
            Self::ClosesUnchanged => {
                other.start().await?;
                other.close().await
            }
            Self::Writes | Self::Holds => {
                other.start().await?;
                if self == Self::Holds {
                    pass(secs(2)).await;
                }
                other.set("other", json!(1))?;
                other.close().await
            }
            Self::SetsExpiration => {
                other.start().await?;
                other.set_expiration(Expiration::sliding(secs(600)))?;
                other.close().await
            }
            Self::Destroys => other.destroy().await,
            Self::Rotates => {
                other.start().await?;
                other.regenerate_id()?;
                other.close().await
            }
            Self::LogsOut => {
                other.start().await?;
                other.destroy().await?;
                other.start().await?;
                other.set("anew", json!(1))?;
                other.close().await
            }
        }
    }

    /// Returns the number of runs of the closure and the result of the transaction.
    fn expected(self) -> (u32, &'static str) {
        match self {
            // Nothing has changed by the time of the write.
            Self::Nothing | Self::Releases | Self::ClosesUnchanged => (1, "Ok"),
            Self::Writes | Self::SetsExpiration => (2, "Ok"),
            Self::Holds => (3, "Ok"),
            Self::Destroys | Self::LogsOut => (1, "Gone"),
            Self::Rotates => (1, "Superseded"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_copes_with_every_action_of_another_visit() -> Result<(), SessionError> {
    for between in Between::ALL {
        for case in Case::both() {
            let id = case.fixture.stored([("count", json!(0))]).await;
            let runs = Runs::default();
            let grace: Session = Session::builder(MemoryStorage::clone(&case.fixture.storage))
                .default_expiration(Expiration::Never)
                .rotation_grace(Duration::ZERO)
                .build();
            let visit = grace.open(id.clone().into());
            let began = Runs::default();
            let transaction = case.session.transaction(async || {
                let run = runs.next();
                add(&case.session, "count")?;
                if between == Between::Holds {
                    // The other visit holds the lock at the time of this write, and during the second attempt.
                    if run == 1 {
                        began.next();
                        pass(ms(500)).await;
                    }
                    return Ok(());
                }
                if run == 1 {
                    between.act(&grace).in_session(visit.handle()).await?;
                }
                Ok(())
            });
            let beside = async {
                if between == Between::Holds {
                    pass(ms(100)).await;
                    between.act(&grace).in_session(visit.handle()).await?;
                }
                Ok::<_, SessionError>(())
            };
            let (updated, acted) = tokio::join!(case.visit(&id, transaction), beside);
            acted?;
            let (expected_runs, expected) = between.expected();
            let said = match &updated {
                Ok(()) => "Ok",
                Err(SessionError::Gone) => "Gone",
                Err(SessionError::Superseded) => "Superseded",
                Err(other) => panic!("{:?}, {between:?}: {other:?}", case.access),
            };
            assert_eq!(
                (runs.count(), said),
                (expected_runs, expected),
                "{:?}, {between:?}",
                case.access
            );
            let shown = case.fixture.shown(&id).await;
            let expected = match between {
                Between::Destroys | Between::LogsOut | Between::Rotates => None,
                Between::Writes | Between::Holds => Some(values([("count", json!(1)), ("other", json!(1))])),
                _ => Some(values([("count", json!(1))])),
            };
            assert_eq!(shown, expected, "{:?}, {between:?}", case.access);
            let sessions = match between {
                Between::Destroys => 0,
                _ => 1,
            };
            assert_eq!(
                case.fixture.sessions().await,
                sessions,
                "{:?}, {between:?}",
                case.access
            );
            assert_eq!(case.fixture.storage.stats().locks, 0, "{:?}, {between:?}", case.access);
            if between == Between::SetsExpiration {
                let record = case.fixture.record(&id).await.expect("the session exists");
                assert!(record.meta.deadline.is_some(), "a transaction has undone an expiration");
            }
        }
    }
    Ok(())
}
