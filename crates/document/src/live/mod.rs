//! [`LiveDocument`]: the document that a session keeps, and the handlers that follow the edits of its client.

mod handlers;
mod page;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use sessile_core::{Key, Namespace, NamespaceKey, Namespaces, Session, Untyped, Values};

use self::handlers::Handler;
pub use self::page::LivePage;
use crate::bounds::Bounds;
use crate::change::Change;
use crate::document::{Admitted, Document, Rules};
use crate::error::DocumentError;
use crate::message::Patch;
use crate::options::Options;
use crate::policy::{DollarPolicy, WritePolicy};
use crate::reply::Reply;

/// The namespace of a session that holds its document. It is reserved for this crate.
const NAMESPACE: &str = "sessile.document";

/// The values of that namespace.
struct Kept;
impl Values for Kept {}

const DOCUMENT: Key<Kept, Document> = Key::declare("document");

/// The document of whichever session the current task visits. A cheap clone.
///
/// Every call but [`read`](Self::read) starts the session, so it holds the lock from then on; what it changes is
/// committed when the visit closes. An answer must not be sent before that, and with the layer it is not. A future that
/// is dropped has changed nothing in the session: the document is put back as the last step, which does not wait.
///
/// ```
/// use serde_json::json;
/// use sessile_core::{Session, Visit};
/// use sessile_document::{DocumentError, LiveDocument, Options};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let session: Session = Session::builder(MemoryStorage::new()).build();
/// let document = LiveDocument::builder(session.clone())
///     .options(Options::DEFAULT.patch_versioning())
///     .on("/Name$", async |page, change| {
///         let name = change.to.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
///         if name.is_empty() {
///             return Err(DocumentError::refused("a name is needed"));
///         }
///         page.set("/Greeting", format!("Hello, {name}!"))
///     })
///     .build();
///
/// session.try_enter(Visit::new(), async {
///     document.create(json!({"Name$": "", "Greeting": ""})).await?;
///     let message = br#"[
///         {"op": "replace", "path": "/_ver#c$", "value": 1},
///         {"op": "test", "path": "/_ver#s", "value": 0},
///         {"op": "replace", "path": "/Name$", "value": "Ada"}
///     ]"#;
///     let reply = document.receive(message).await?;
///     assert!(reply.body.contains("Hello, Ada!"));
///     Ok::<_, DocumentError>(())
/// }).await?;
/// # Ok(())
/// # }
/// ```
pub struct LiveDocument<N = Untyped, V = Untyped>(Arc<Inner<N, V>>);

struct Inner<N, V> {
    session: Session<N, V>,
    namespace: Namespace<Kept>,
    options: Options,
    bounds: Bounds,
    policy: Box<dyn WritePolicy>,
    handlers: Vec<Handler>,
}

/// The settings of a [`LiveDocument`].
pub struct LiveDocumentBuilder<N = Untyped, V = Untyped>(Inner<N, V>);

impl<N: Namespaces, V: Values> LiveDocument<N, V> {
    /// Begins the settings. By default: no option, the [`DollarPolicy`], no handlers.
    #[must_use]
    pub fn builder(session: Session<N, V>) -> LiveDocumentBuilder<N, V> {
        let namespace = session.namespace(NamespaceKey::<N, Kept>::declare(NAMESPACE));
        LiveDocumentBuilder(Inner {
            session,
            namespace,
            options: Options::DEFAULT,
            bounds: Bounds::default(),
            policy: Box::new(DollarPolicy),
            handlers: Vec::new(),
        })
    }

    /// Gives the session a document. One that it has is replaced as by [`Document::replace_root`]: its versions go on.
    ///
    /// # Errors
    ///
    /// As [`Document::new`]; [`Session`](DocumentError::Session) if the session cannot be started.
    pub async fn create(&self, root: Value) -> Result<(), DocumentError> {
        match self.load().await {
            Ok(mut document) => {
                document.replace_root(root)?;
                self.keep(document)
            }
            Err(DocumentError::NoDocument) => self.keep(Document::new(root, self.0.options)?),
            Err(error) => Err(error),
        }
    }

    /// Receives a message of the client: applies it, runs the handlers of each edit, and returns the answer.
    ///
    /// # Errors
    ///
    /// As [`Document::receive`], and those of the handlers, each of which leaves the document as before the message;
    /// [`NoDocument`](DocumentError::NoDocument); [`Session`](DocumentError::Session). What handlers did elsewhere, other
    /// values of the session included, is not taken back: a handler that can fail checks before it changes those.
    pub async fn receive(&self, message: &[u8]) -> Result<Reply, DocumentError> {
        let mut document = self.load().await?;
        let patch = match document.admit(message)? {
            Admitted::Answered(reply) => {
                self.keep(document)?;
                return Ok(reply);
            }
            Admitted::Next(patch) => patch,
        };
        document = self.apply(document, patch).await?;
        let mut refused = None;
        while let (None, Some(patch)) = (&refused, document.next_queued()) {
            match self.apply(document.clone(), patch).await {
                Ok(next) => document = next,
                Err(error) => refused = Some(error),
            }
        }
        let reply = document.answer(refused)?;
        self.keep(document)?;
        Ok(reply)
    }

    /// Receives what a client sends when it connects again: an array of the messages that were not acknowledged. Returns
    /// the whole state.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive); all messages are applied, or none.
    pub async fn reconnect(&self, message: &[u8]) -> Result<String, DocumentError> {
        let mut document = self.load().await?;
        for patch in document.admit_all(message)? {
            document = self.apply(document, patch).await?;
        }
        let state = document.establish()?;
        self.keep(document)?;
        Ok(state)
    }

    /// Returns the whole state for a client that starts: see [`Document::establish`].
    ///
    /// # Errors
    ///
    /// [`NoDocument`](DocumentError::NoDocument); [`Session`](DocumentError::Session).
    pub async fn state(&self) -> Result<String, DocumentError> {
        self.edit(Document::establish).await
    }

    /// Returns the message that sends what has changed; `None` if nothing has: see [`Document::push`].
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub async fn push(&self) -> Result<Option<String>, DocumentError> {
        self.edit(Document::push).await
    }

    /// Changes the document. If the closure fails, nothing is changed.
    ///
    /// # Errors
    ///
    /// Those of the closure; [`NoDocument`](DocumentError::NoDocument); [`Session`](DocumentError::Session).
    pub async fn edit<R>(
        &self,
        change: impl FnOnce(&mut Document) -> Result<R, DocumentError>,
    ) -> Result<R, DocumentError> {
        let mut document = self.load().await?;
        let result = change(&mut document)?;
        self.keep(document)?;
        Ok(result)
    }

    /// Returns the document as this visit sees it. The session must have been started, read-only or not.
    ///
    /// # Errors
    ///
    /// [`NoDocument`](DocumentError::NoDocument); [`Session`](DocumentError::Session).
    pub fn read(&self) -> Result<Document, DocumentError> {
        let document = self.0.namespace.get(DOCUMENT)?;
        let document = document.ok_or(DocumentError::NoDocument)?;
        Ok(document.with_bounds(self.0.bounds))
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> Options {
        self.0.options
    }

    async fn load(&self) -> Result<Document, DocumentError> {
        self.0.session.start().await?;
        self.read()
    }

    fn keep(&self, document: Document) -> Result<(), DocumentError> {
        Ok(self.0.namespace.set(DOCUMENT, document)?)
    }

    /// Applies one message and runs the handlers of its edits.
    async fn apply(&self, mut document: Document, patch: Patch) -> Result<Document, DocumentError> {
        let rules = Rules {
            policy: &*self.0.policy,
            strict: self.0.options.has_strict_patch_rejection(),
        };
        let changes = document.apply(patch, rules)?;
        if self.0.handlers.is_empty() {
            return Ok(document);
        }
        let page = LivePage::open(document);
        let result = self.follow(&page, &changes).await;
        let document = page.close();
        result.and(document)
    }

    async fn follow(&self, page: &LivePage, changes: &[Change]) -> Result<(), DocumentError> {
        for change in changes {
            for handler in &self.0.handlers {
                handler.run(page, change).await?;
            }
        }
        Ok(())
    }
}

impl<N: Namespaces, V: Values> LiveDocumentBuilder<N, V> {
    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.0.options = options;
        self
    }

    /// Sets what a document may take. A session whose record grows too large fails besides, see
    /// [`max_record_bytes`](sessile_core::SessionBuilder::max_record_bytes).
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.0.bounds = bounds;
        self
    }

    /// Sets what a client may write.
    #[must_use]
    pub fn policy(mut self, policy: impl WritePolicy) -> Self {
        self.0.policy = Box::new(policy);
        self
    }

    /// Adds a handler for edits at a path: a JSON pointer, in which `*` stands for any one member or index. Handlers run
    /// one after the other, in the order of the edits and then in that of these calls, in the session's context and
    /// under its lock. A handler that fails takes the whole message back, and the client is told its error.
    ///
    /// # Panics
    ///
    /// If the path is not a JSON pointer.
    #[must_use]
    pub fn on<F>(mut self, path: &str, handler: impl Fn(LivePage, Change) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), DocumentError>> + Send + 'static,
    {
        self.0.handlers.push(Handler::new(path, handler));
        self
    }

    /// Finishes the settings.
    #[must_use]
    pub fn build(self) -> LiveDocument<N, V> {
        LiveDocument(Arc::new(self.0))
    }
}

impl<N, V> Clone for LiveDocument<N, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N, V> fmt::Debug for LiveDocument<N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("LiveDocument", &self.0, f)
    }
}

impl<N, V> fmt::Debug for LiveDocumentBuilder<N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("LiveDocumentBuilder", &self.0, f)
    }
}

fn describe<N, V>(name: &str, inner: &Inner<N, V>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut fields = f.debug_struct(name);
    fields.field("options", &inner.options);
    fields.field("policy", &inner.policy);
    fields.field("handlers", &inner.handlers);
    fields.finish_non_exhaustive()
}
