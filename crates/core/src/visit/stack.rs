//! The contexts of the running task.
//!
//! Each thread keeps a stack of the contexts of the future that it is polling. A scope pushes its context before each
//! poll and pops it afterwards, so the stack is empty between polls and a task can move between threads.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::Arc;

use crate::settings::Settings;
use crate::visit::Context;

/// A visit on the stack of contexts.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) context: Arc<Context>,
    /// `true` if the inner future is a transaction of the visit.
    pub(super) in_transaction: bool,
}

impl Frame {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            in_transaction: false,
        }
    }

    pub(super) fn in_transaction(context: Arc<Context>) -> Self {
        Self {
            context,
            in_transaction: true,
        }
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.context.settings
    }
}

thread_local! {
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside a context. Meanwhile the frame is moved from the slot to the stack, which saves a reference count.
#[inline(always)] // A future inside, or made inside, is moved once less.
pub(super) fn within<R>(slot: &mut Option<Frame>, f: impl FnOnce() -> R) -> R {
    /// Moves the frame back in any case, also after a panic.
    struct PopOnDrop<'a>(&'a mut Option<Frame>);

    impl Drop for PopOnDrop<'_> {
        #[inline]
        fn drop(&mut self) {
            *self.0 = STACK.with_borrow_mut(Vec::pop);
        }
    }

    // A thread that is shutting down has no stack any more; destructors then run outside of any context.
    let pushed = STACK.try_with(|stack| {
        let frame = slot.take().expect("the frame is in its slot between polls");
        stack.borrow_mut().push(frame);
    });
    let _pop_on_drop = pushed.is_ok().then_some(PopOnDrop(slot));
    f()
}

/// Searches the frames of this thread, of which a thread that is shutting down has none.
#[inline]
fn search<R>(find: impl FnOnce(&[Frame]) -> Option<R>) -> Option<R> {
    STACK.try_with(|stack| find(&stack.borrow())).ok().flatten()
}

/// Returns the innermost context of this session.
pub(crate) fn current(settings: &Arc<Settings>) -> Option<Arc<Context>> {
    search(|frames| {
        let frame = frames.iter().rfind(|frame| Arc::ptr_eq(frame.settings(), settings))?;
        Some(Arc::clone(&frame.context))
    })
}

/// Returns all contexts of this session, from the innermost outwards.
pub(super) fn all(settings: &Arc<Settings>) -> Vec<Arc<Context>> {
    let of_session = |frames: &[Frame]| {
        let frames = frames.iter().rev();
        let frames = frames.filter(|frame| Arc::ptr_eq(frame.settings(), settings));
        Some(frames.map(|frame| Arc::clone(&frame.context)).collect())
    };
    search(of_session).unwrap_or_default()
}

/// Returns the innermost session that was declared with these namespaces and values.
pub(crate) fn find_declared(declared: TypeId) -> Option<Arc<Settings>> {
    search(|frames| {
        let mut all = frames.iter().rev().map(Frame::settings);
        all.find(|settings| settings.declared == declared).cloned()
    })
}

/// Returns the innermost session, regardless of its declaration.
pub(crate) fn innermost() -> Option<Arc<Settings>> {
    search(|frames| frames.last().map(Frame::settings).cloned())
}

/// Returns whether the current code is inside a transaction of this context.
pub(super) fn is_in_transaction(context: &Context) -> bool {
    let found = |frame: &Frame| frame.in_transaction && std::ptr::eq(&*frame.context, context);
    STACK
        .try_with(|stack| stack.borrow().iter().any(found))
        .unwrap_or(false)
}
