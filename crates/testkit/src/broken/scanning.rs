//! What is wrong with listing what is stored.

use std::time::Duration;

use sessile_core::{Cursor, Lookup, Page, Storage, StorageError, StorageErrorKind};

use super::{Broken, Bug};

impl Broken {
    pub(super) async fn wrongly_scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<Page, StorageError> {
        let corrupt = || StorageError::new(StorageErrorKind::Corrupt, "scan", self.name());
        match self.bug {
            Bug::ScanSkips => {
                let text = |cursor: &Cursor| String::from_utf8_lossy(cursor.as_bytes()).parse().unwrap_or(0);
                let skip: usize = cursor.as_ref().map_or(0, text);
                let all = self.model.step(|_, state, now| state.scan(None, usize::MAX, now));
                let sessions: Vec<_> = all.into_iter().skip(skip).take(limit).collect();
                let next = (skip + sessions.len()).to_string().into_bytes();
                let next = (sessions.len() == limit).then(|| Cursor::from_bytes(next));
                Ok(Page::new(sessions, next))
            }
            Bug::ScanNeverEnds => {
                let cursor = cursor.filter(|cursor| cursor.as_bytes() != b"again");
                let mut page = self.model.scan(cursor, limit).await?;
                page.next.get_or_insert_with(|| Cursor::from_bytes(*b"again"));
                Ok(page)
            }
            Bug::ScanCursorIsLocal => {
                let own = self.handle.to_string();
                let plain = |cursor: Cursor| cursor.as_bytes().strip_prefix(own.as_bytes()).map(Cursor::from_bytes);
                let cursor = cursor.map(|cursor| plain(cursor).ok_or_else(corrupt)).transpose()?;
                let mut page = self.model.scan(cursor, limit).await?;
                let marked = |next: Cursor| Cursor::from_bytes([own.as_bytes(), next.as_bytes()].concat());
                page.next = page.next.map(marked);
                Ok(page)
            }
            Bug::ScanLocks => {
                let page = self.model.scan(cursor, limit).await?;
                for (key, _) in &page.sessions {
                    if let Ok(Lookup::Found(mut locked)) = self.model.lock(key, Duration::ZERO).await {
                        locked.lock.spend();
                    }
                }
                Ok(page)
            }
            _ => self.model.scan(cursor, limit).await,
        }
    }
}
