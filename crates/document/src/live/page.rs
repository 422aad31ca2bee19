//! [`LivePage`]: the document in the hands of a handler.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::document::Document;
use crate::error::DocumentError;

/// The document while a handler runs. A cheap clone; it is closed when the message that it belongs to is answered.
///
/// No lock is held across an await, nor while code of the application runs.
#[derive(Debug, Clone)]
pub struct LivePage(Arc<Mutex<Slot>>);

#[derive(Debug)]
enum Slot {
    Open(Box<Document>),
    /// A closure of the application has it.
    Lent,
    Closed,
}

impl LivePage {
    pub(super) fn open(document: Document) -> Self {
        Self(Arc::new(Mutex::new(Slot::Open(Box::new(document)))))
    }

    /// Takes the document back. Clones of the page that are still about can do nothing more.
    pub(super) fn close(&self) -> Result<Document, DocumentError> {
        self.exchange(Slot::Closed)
    }

    /// Returns a copy of the value at a JSON pointer; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Document::get`]; [`PageClosed`](DocumentError::PageClosed), [`PageBusy`](DocumentError::PageBusy).
    pub fn get(&self, pointer: &str) -> Result<Option<Value>, DocumentError> {
        self.change(|document| Ok(document.get(pointer)?.cloned()))
    }

    /// Sets a value, as [`Document::set`].
    ///
    /// # Errors
    ///
    /// As [`Document::set`]; [`PageClosed`](DocumentError::PageClosed), [`PageBusy`](DocumentError::PageBusy).
    pub fn set(&self, pointer: &str, value: impl Into<Value>) -> Result<(), DocumentError> {
        let value = value.into();
        self.change(|document| document.set(pointer, value))
    }

    /// Inserts an element, as [`Document::insert`].
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn insert(&self, pointer: &str, value: impl Into<Value>) -> Result<(), DocumentError> {
        let value = value.into();
        self.change(|document| document.insert(pointer, value))
    }

    /// Removes a value, as [`Document::remove`].
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn remove(&self, pointer: &str) -> Result<Option<Value>, DocumentError> {
        self.change(|document| document.remove(pointer))
    }

    /// Changes the value at a pointer through a type, as [`Document::edit`].
    ///
    /// # Errors
    ///
    /// As [`Document::edit`]; [`PageClosed`](DocumentError::PageClosed), [`PageBusy`](DocumentError::PageBusy).
    pub fn edit<T, R>(&self, pointer: &str, change: impl FnOnce(&mut T) -> R) -> Result<R, DocumentError>
    where
        T: Serialize + DeserializeOwned,
    {
        self.change(|document| document.edit(pointer, change))
    }

    /// Calls a closure with the document. Calls on the page meanwhile, its own included, fail with
    /// [`PageBusy`](DocumentError::PageBusy).
    ///
    /// # Errors
    ///
    /// Those of the closure; [`PageClosed`](DocumentError::PageClosed), [`PageBusy`](DocumentError::PageBusy).
    pub fn change<R>(
        &self,
        change: impl FnOnce(&mut Document) -> Result<R, DocumentError>,
    ) -> Result<R, DocumentError> {
        let mut document = self.exchange(Slot::Lent)?;
        let result = change(&mut document);
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been closed meanwhile, from another thread.
        if matches!(*slot, Slot::Lent) {
            *slot = Slot::Open(Box::new(document));
        }
        result
    }

    /// Takes the document, and leaves another state.
    fn exchange(&self, next: Slot) -> Result<Document, DocumentError> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closes = matches!(next, Slot::Closed);
        match std::mem::replace(&mut *slot, Slot::Closed) {
            Slot::Open(document) => {
                *slot = next;
                Ok(*document)
            }
            Slot::Lent => {
                if !closes {
                    *slot = Slot::Lent;
                }
                Err(DocumentError::PageBusy)
            }
            Slot::Closed => Err(DocumentError::PageClosed),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_used_by_one_and_until_it_is_closed() {
        let page = LivePage::open(Document::new(json!({"n": 1}), crate::Options::DEFAULT).unwrap());
        let inner = page.change(|_| Ok(page.get("/n")));
        assert_eq!(inner, Ok(Err(DocumentError::PageBusy)));
        assert_eq!(page.get("/n"), Ok(Some(json!(1))));
        page.close().unwrap();
        assert_eq!(page.get("/n"), Err(DocumentError::PageClosed));
    }

    #[test]
    fn a_page_that_is_lent_when_it_closes_stays_closed() {
        let page = LivePage::open(Document::new(json!({"n": 1}), crate::Options::DEFAULT).unwrap());
        page.change(|document| {
            assert_eq!(page.close().map(drop), Err(DocumentError::PageBusy));
            document.set("/n", json!(2))
        })
        .unwrap();
        assert_eq!(page.get("/n"), Err(DocumentError::PageClosed));
    }
}
