//! A counter that looks right only if no update is lost.

use sessile::SessionError;

use super::{ShopSession, Visitor};

/// Adds to the counter, alone: whoever else wants to write to this session waits until this visit is over.
pub(crate) async fn add(session: &ShopSession, number: u64) -> Result<u64, SessionError> {
    session.start().await?;
    session.update_key(Visitor::COUNT, |count| {
        *count = count.saturating_add(number);
        *count
    })
}

/// The counter as it was last committed. Waits for nobody who is writing.
pub(crate) async fn current(session: &ShopSession) -> Result<u64, SessionError> {
    session.start_readonly().await?;
    Ok(session.get(Visitor::COUNT)?.unwrap_or(0))
}
