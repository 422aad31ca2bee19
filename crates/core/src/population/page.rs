//! Pages of sessions that are not over.

use crate::error::SessionError;
use crate::settings::Settings;
use crate::storage::{Cursor, Page};

impl Settings {
    /// Lists a page of sessions: without the records of rosters, and without sessions of earlier epochs.
    pub(crate) async fn list_sessions(&self, position: Option<Cursor>, limit: usize) -> Result<Page, SessionError> {
        let epoch = match self.epochs {
            true => self.read_epoch().await?,
            false => 0,
        };
        let mut page = self.storage.scan(position, limit).await?;
        page.sessions
            .retain(|head| head.meta.facts.is_session() && head.meta.facts.epoch() >= epoch);
        Ok(page)
    }
}
