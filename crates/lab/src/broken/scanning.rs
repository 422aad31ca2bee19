//! Bugs of listing and sweeping.

use std::time::Duration;

use sessile_core::{Cursor, Lookup, Page, SessionHead, SessionKey, Storage, StorageError, StorageErrorKind, Stored};

use super::{Broken, Bug, MOMENT};
use crate::locked;

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
                for SessionHead { key, .. } in &page.sessions {
                    if let Ok(Lookup::Found(mut locked)) = self.model.lock(key, Duration::ZERO).await {
                        locked.lock.disarm();
                    }
                }
                Ok(page)
            }
            _ => self.model.scan(cursor, limit).await,
        }
    }

    pub(super) async fn wrongly_sweep(&self, limit: usize) -> Result<Vec<Stored>, StorageError> {
        match self.bug {
            Bug::SweepInTwoSteps => {
                let swept = self.model.step(|_, state, now| state.clone().sweep(limit, now));
                tokio::time::sleep(MOMENT).await;
                self.model.sweep(limit).await?;
                Ok(swept)
            }
            Bug::TouchKeepsOldTimer => {
                let mut swept = self.model.sweep(limit).await?;
                let timers = locked(&self.timers).clone();
                self.model.step(|_, state, now| {
                    let due = |key: &&SessionKey| timers[key] <= now && state.records.contains_key(*key);
                    let due: Vec<_> = timers.keys().filter(due).copied().collect();
                    swept.extend(due.into_iter().map(|key| state.remove(key)));
                });
                Ok(swept)
            }
            _ => self.model.sweep(limit).await,
        }
    }
}
