//! Which contexts the running task is in.
//!
//! A thread keeps a stack of the contexts of whatever it is polling. A scope pushes its context before each poll and
//! pops it after, so the stack is empty between polls and a task can move between threads.

use std::cell::RefCell;
use std::sync::Arc;

use super::Context;
use crate::session::Engine;

/// A context the running code is in.
struct Frame {
    context: Arc<Context>,
    /// Whether this is the inside of an update, to whose lock nested calls are entitled.
    updating: bool,
}

thread_local! {
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside a context.
pub(super) fn within<R>(context: &Arc<Context>, updating: bool, f: impl FnOnce() -> R) -> R {
    /// Pops in any case, a panic included.
    struct Pop;

    impl Drop for Pop {
        fn drop(&mut self) {
            // The frame is dropped outside of the borrow: it may be the last to hold its context.
            let frame = STACK.with_borrow_mut(Vec::pop);
            drop(frame);
        }
    }

    // A thread that is ending has no stack any more; what runs in its destructors runs outside of any context.
    let frame = Frame {
        context: Arc::clone(context),
        updating,
    };
    let pushed = STACK.try_with(|stack| stack.borrow_mut().push(frame)).is_ok();
    let pop = pushed.then_some(Pop);
    let result = f();
    drop(pop);
    result
}

/// The innermost context of this session.
pub(crate) fn current(engine: &Arc<Engine>) -> Option<Arc<Context>> {
    find(|found| Arc::ptr_eq(found, engine))
}

/// The innermost context of a session that `matches`.
pub(crate) fn find(matches: impl Fn(&Arc<Engine>) -> bool) -> Option<Arc<Context>> {
    STACK
        .try_with(|stack| {
            let stack = stack.borrow();
            let frame = stack.iter().rev().find(|frame| matches(&frame.context.engine))?;
            Some(Arc::clone(&frame.context))
        })
        .ok()
        .flatten()
}

/// Whether the running code is inside an update of this context.
pub(super) fn is_updating(context: &Context) -> bool {
    let found = |frame: &Frame| frame.updating && std::ptr::eq(&*frame.context, context);
    STACK
        .try_with(|stack| stack.borrow().iter().any(found))
        .unwrap_or(false)
}
