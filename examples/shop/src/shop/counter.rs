//! A counter that is right only if no update is lost.

use sessile::SessionError;

use super::{ShopSession, Visitor};

/// Adds to the counter, under the lock: other writers of this session wait until this visit ends.
pub(crate) async fn add(session: &ShopSession, number: u64) -> Result<u64, SessionError> {
    session.start().await?;
    session.update(Visitor::COUNT, |count| {
        *count = count.saturating_add(number);
        *count
    })
}

/// Returns the last committed count. Does not wait for writers.
pub(crate) async fn current(session: &ShopSession) -> Result<u64, SessionError> {
    session.start_readonly().await?;
    Ok(session.get(Visitor::COUNT)?.unwrap_or(0))
}
