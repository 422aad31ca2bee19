//! [`ScannedKeys`]: the keys of all sessions in a storage.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use futures_core::Stream;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::storage::{Cursor, Page, SessionHead, Storage, StorageError};

/// The number of records in a page.
const PAGE: usize = 512;

type Scan = Pin<Box<dyn Future<Output = Result<Page, StorageError>> + Send>>;

/// A stream of the keys of all sessions, each of them once, page after page. Ends after an error.
pub(super) struct ScannedKeys {
    storage: Arc<dyn Storage>,
    /// The call for the next page, which starts when the page before it is used up. `None` after the last.
    scan: Option<Scan>,
    page: vec::IntoIter<SessionHead>,
    /// The sessions that were listed. A scan may list a session twice. Half of a digest identifies it, as no client can
    /// choose the digest of an id.
    listed: HashSet<[u8; 16]>,
}

impl ScannedKeys {
    pub(super) fn new(storage: &Arc<dyn Storage>) -> Self {
        let storage = Arc::clone(storage);
        Self {
            scan: Some(scan(&storage, None)),
            storage,
            page: Vec::new().into_iter(),
            listed: HashSet::new(),
        }
    }

    /// Returns whether a listed record is a session that was not listed before.
    fn is_new(&mut self, head: &SessionHead) -> bool {
        let (half, _) = head.key.digest().split_first_chunk().expect("a digest is longer");
        head.meta.facts.is_session() && self.listed.insert(*half)
    }
}

fn scan(storage: &Arc<dyn Storage>, from: Option<Cursor>) -> Scan {
    let storage = Arc::clone(storage);
    Box::pin(async move { storage.scan(from, PAGE).await })
}

impl Stream for ScannedKeys {
    type Item = Result<SessionKey, SessionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            while let Some(head) = this.page.next() {
                if this.is_new(&head) {
                    return Poll::Ready(Some(Ok(head.key)));
                }
            }
            let Some(call) = &mut this.scan else {
                return Poll::Ready(None);
            };
            let page = ready!(call.as_mut().poll(cx));
            this.scan = None;
            match page {
                Ok(Page { sessions, next }) => {
                    this.page = sessions.into_iter();
                    this.scan = next.map(|cursor| scan(&this.storage, Some(cursor)));
                }
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}
