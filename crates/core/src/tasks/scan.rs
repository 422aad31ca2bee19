//! [`ScannedKeys`]: the keys of all sessions in a storage.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::vec;

use futures_core::Stream;

use crate::error::SessionError;
use crate::id::{SeenKeys, SessionKey};
use crate::settings::Settings;
use crate::storage::{Cursor, Page, SessionHead};

/// The number of records in a page.
const PAGE: usize = 512;

type Scan = Pin<Box<dyn Future<Output = Result<Page, SessionError>> + Send>>;

/// A stream of the keys of all sessions, each of them once, page after page. Ends after an error.
pub(super) struct ScannedKeys {
    settings: Arc<Settings>,
    /// The call for the next page, which starts when the page before it is used up. `None` after the last.
    scan: Option<Scan>,
    page: vec::IntoIter<SessionHead>,
    listed: SeenKeys,
}

impl ScannedKeys {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        let settings = Arc::clone(settings);
        Self {
            scan: Some(scan(&settings, None)),
            settings,
            page: Vec::new().into_iter(),
            listed: SeenKeys::default(),
        }
    }
}

fn scan(settings: &Arc<Settings>, from: Option<Cursor>) -> Scan {
    let settings = Arc::clone(settings);
    Box::pin(async move { settings.list_sessions(from, PAGE).await })
}

impl Stream for ScannedKeys {
    type Item = Result<SessionKey, SessionError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            for head in this.page.by_ref() {
                if this.listed.insert(&head.key) {
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
                    this.scan = next.map(|cursor| scan(&this.settings, Some(cursor)));
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}
