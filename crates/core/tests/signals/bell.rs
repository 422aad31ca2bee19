//! [`Bell`]: what a signal sets off. It calls back into the session from wherever it is rung.

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

/// What signals: code of the application, or of others, that the session calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nothing does, to see how things go without.
    Nothing,
    /// A subscriber, to which an event is sent.
    #[cfg(feature = "tracing")]
    Event,
    /// A subscriber, when a span of a storage's verb begins, is entered, left and ends.
    #[cfg(feature = "tracing")]
    Span,
    /// A recorder of metrics.
    #[cfg(feature = "metrics")]
    Metric,
    Clock,
    Entropy,
    /// A storage that is asked for its name.
    Name,
    /// A verb of a storage, before it acts.
    Asked,
    /// The same, before it answers.
    Answering,
    /// The future of a verb that is dropped, be it done or not.
    VerbDropped,
    /// A lock that goes back to its storage as it was dropped.
    Unlock,
    Serialize,
    Deserialize,
    /// A value that is dropped.
    ValueDropped,
    /// The closure of a call that changes a value, or makes one.
    Closure,
    /// The future of an update, or of the work of a visit, that is dropped.
    WorkDropped,
    /// What `Debug` writes to.
    Writer,
}

/// What is done when it rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// The session is looked at, which changes nothing.
    Looks,
    /// Values are changed and calls are begun, which are dropped right away.
    Acts,
    /// The session is closed, released and destroyed.
    Ends,
    /// All of it is done by another thread, which is waited for.
    Elsewhere,
    /// It panics, once.
    Panics,
}

thread_local! {
    static RINGING: Cell<bool> = const { Cell::new(false) };
}

#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) source: Source,
    pub(crate) manner: Manner,
    session: OnceLock<Session>,
    handle: Mutex<Option<Handle>>,
    rung: AtomicUsize,
}

impl Bell {
    pub(crate) fn new(source: Source, manner: Manner) -> Arc<Self> {
        Arc::new(Self {
            source,
            manner,
            session: OnceLock::new(),
            handle: Mutex::default(),
            rung: AtomicUsize::new(0),
        })
    }

    pub(crate) fn hang_up(&self, session: Session) {
        self.session.set(session).expect("a bell is for one session");
    }

    /// From now on it is about this visit, if any.
    pub(crate) fn about(&self, handle: Option<Handle>) {
        let before = std::mem::replace(&mut *self.handle.lock().unwrap_or_else(PoisonError::into_inner), handle);
        drop(before);
    }

    /// How often it has rung.
    pub(crate) fn rung(&self) -> usize {
        self.rung.load(Ordering::SeqCst)
    }

    /// Rings, if it is this that rings it. What it sets off does not ring it again.
    pub(crate) fn ring(self: &Arc<Self>, source: Source) {
        let Some(session) = self.session.get() else { return };
        if source != self.source || RINGING.get() {
            return;
        }
        let rung = self.rung.fetch_add(1, Ordering::SeqCst);
        let _ringing = Ringing::begin();
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let again = (self.manner, session.clone(), handle.clone());
        match self.manner {
            Manner::Panics if rung == 0 && !thread::panicking() => panic!("rung on purpose"),
            Manner::Panics => {}
            Manner::Elsewhere => {
                let runtime = tokio::runtime::Handle::try_current();
                let elsewhere = thread::spawn(move || {
                    let _ringing = Ringing::begin();
                    // Those who wait for a lock have to have a timer.
                    let _entered = runtime.as_ref().map(tokio::runtime::Handle::enter);
                    let (_, session, handle) = again;
                    for manner in [Manner::Looks, Manner::Acts] {
                        answer(manner, &session, handle.as_ref());
                    }
                });
                elsewhere.join().expect("the other thread does not panic");
            }
            manner => answer(manner, session, handle.as_ref()),
        }
    }
}

struct Ringing(bool);

impl Ringing {
    fn begin() -> Self {
        Self(RINGING.replace(true))
    }
}

impl Drop for Ringing {
    fn drop(&mut self) {
        RINGING.set(self.0);
    }
}

/// Calls the session, in the context that the thread is in and in that of the visit.
fn answer(manner: Manner, session: &Session, handle: Option<&Handle>) {
    call(manner, session);
    if let Some(handle) = handle {
        handle.enter(|| call(manner, session));
        show(&format_args!("{handle:?}"));
    }
}

fn call(manner: Manner, session: &Session) {
    match manner {
        Manner::Looks | Manner::Elsewhere | Manner::Panics => look(session),
        Manner::Acts => act(session),
        Manner::Ends => {
            begin(session.close());
            begin(session.release());
            begin(session.destroy());
        }
    }
}

fn look(session: &Session) {
    let _ = (session.is_initialised(), session.exists(), session.is_active());
    let _ = (session.is_readable(), session.is_writable());
    let _ = (session.id(), session.key(), session.expiration());
    let _ = (session.created_at(), session.last_active_at());
    let _ = (session.get("user"), session.contains("user"), session.keys());
    let _ = session.namespace("any").get("user");
    let _ = session.handle();
    show(&format_args!("{session:?}"));
}

fn act(session: &Session) {
    let _ = session.set("rung", json!(1));
    let _ = session.unset("rung");
    let _ = session.update_key(COUNT, |count| *count += 1);
    let _ = session.get_or_insert_with(COUNT, || 1);
    let _ = session.namespace("rung").set("rung", json!(1));
    begin(session.start_readonly());
    begin(session.start());
    begin(session.refresh());
    begin(session.update_exclusive(async || session.set("rung", json!(2))));
}

/// Begins a call, and drops it.
fn begin(call: impl Future) {
    let mut call = pin!(call);
    let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

fn show(what: &fmt::Arguments<'_>) {
    let mut shown = String::new();
    shown.write_fmt(*what).expect("a string takes anything");
}
