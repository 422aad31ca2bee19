//! [`Callback`]: a call back into the session, triggered by code that the session calls.

use std::cell::Cell;
use std::fmt::{self, Write};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::thread;

use serde_json::json;
use sessile_core::{Handle, Key, Session, Untyped};

pub(crate) const COUNT: Key<Untyped, u64> = Key::new("count");

/// The code that triggers the callback: code of the application or of other crates that the session calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// None, to run the scenarios without a callback.
    Nothing,
    /// A subscriber that receives an event.
    #[cfg(feature = "tracing")]
    Event,
    /// A subscriber, when a span of a storage operation is created, entered, exited or closed.
    #[cfg(feature = "tracing")]
    Span,
    /// A recorder of metrics.
    #[cfg(feature = "metrics")]
    Metric,
    Clock,
    Entropy,
    /// A storage that is asked for its name.
    Name,
    /// An operation of a storage, before it runs.
    BeforeOperation,
    /// An operation of a storage, before it returns.
    AfterOperation,
    /// The drop of the future of an operation, whether it has completed or not.
    OperationDropped,
    /// A lock that returns to its storage when it is dropped.
    Unlock,
    Serialize,
    Deserialize,
    /// The drop of a value.
    ValueDropped,
    /// The closure of a call that changes or creates a value.
    Closure,
    /// The drop of the future of a transaction, or of the work of a visit.
    WorkDropped,
    /// The target of a `Debug` implementation.
    Writer,
}

/// The action of the callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reads the session, which changes nothing.
    Read,
    /// Changes values, and starts calls that are dropped immediately.
    Change,
    /// Closes, releases and destroys the session.
    End,
    /// Reads and changes the session in another thread, and waits for it.
    OtherThread,
    /// Panics, once.
    Panic,
}

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug)]
pub(crate) struct Callback {
    pub(crate) source: Source,
    pub(crate) action: Action,
    session: OnceLock<Session>,
    handle: Mutex<Option<Handle>>,
    count: AtomicUsize,
}

impl Callback {
    pub(crate) fn new(source: Source, action: Action) -> Arc<Self> {
        Arc::new(Self {
            source,
            action,
            session: OnceLock::new(),
            handle: Mutex::default(),
            count: AtomicUsize::new(0),
        })
    }

    pub(crate) fn set_session(&self, session: Session) {
        self.session.set(session).expect("a callback is for one session");
    }

    /// Sets the visit that the callback uses, if any.
    pub(crate) fn set_visit(&self, handle: Option<Handle>) {
        let before = std::mem::replace(&mut *self.handle.lock().unwrap_or_else(PoisonError::into_inner), handle);
        drop(before);
    }

    /// Returns how often it was triggered.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Runs the callback if this is its source. Callbacks are not nested.
    pub(crate) fn trigger(self: &Arc<Self>, source: Source) {
        let Some(session) = self.session.get() else { return };
        if source != self.source || ACTIVE.get() {
            return;
        }
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let _active = ActiveGuard::enter();
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let context = (self.action, session.clone(), handle.clone());
        match self.action {
            Action::Panic if count == 0 && !thread::panicking() => panic!("triggered on purpose"),
            Action::Panic => {}
            Action::OtherThread => {
                let runtime = tokio::runtime::Handle::try_current();
                let worker = thread::spawn(move || {
                    let _active = ActiveGuard::enter();
                    // A call that waits for a lock needs a timer.
                    let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
                    let (_, session, handle) = context;
                    for action in [Action::Read, Action::Change] {
                        react(action, &session, handle.as_ref());
                    }
                });
                worker.join().expect("the other thread does not panic");
            }
            action => react(action, session, handle.as_ref()),
        }
    }
}

struct ActiveGuard(bool);

impl ActiveGuard {
    fn enter() -> Self {
        Self(ACTIVE.replace(true))
    }
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        ACTIVE.set(self.0);
    }
}

/// Calls the session, in the context of the thread and in that of the visit.
fn react(action: Action, session: &Session, handle: Option<&Handle>) {
    call(action, session);
    if let Some(handle) = handle {
        handle.enter(|| call(action, session));
        format_debug(&format_args!("{handle:?}"));
    }
}

fn call(action: Action, session: &Session) {
    match action {
        Action::Read | Action::OtherThread | Action::Panic => read(session),
        Action::Change => change(session),
        Action::End => {
            poll_once(session.close());
            poll_once(session.release());
            poll_once(session.destroy());
        }
    }
}

fn read(session: &Session) {
    let _ = (session.is_initialised(), session.exists(), session.is_active());
    let _ = (session.is_readable(), session.is_writable());
    let _ = (session.id(), session.key(), session.expiration());
    let _ = (session.created_at(), session.last_active_at());
    let _ = (session.get("user"), session.contains("user"), session.keys());
    let _ = session.namespace("any").get("user");
    let _ = session.handle();
    format_debug(&format_args!("{session:?}"));
}

fn change(session: &Session) {
    let _ = session.set("written", json!(1));
    let _ = session.unset("written");
    let _ = session.update(COUNT, |count| *count += 1);
    let _ = session.get_or_insert_with(COUNT, || 1);
    let _ = session.namespace("written").set("written", json!(1));
    poll_once(session.start_readonly());
    poll_once(session.start());
    poll_once(session.refresh());
    poll_once(session.transaction_exclusive(async || session.set("written", json!(2))));
}

/// Polls a call once and drops it.
fn poll_once(call: impl Future) {
    let mut call = pin!(call);
    let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn format_debug(what: &fmt::Arguments<'_>) {
    let mut shown = String::new();
    shown.write_fmt(*what).expect("writing to a string cannot fail");
}
