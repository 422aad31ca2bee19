//! Which contexts the running task is in.
//!
//! A thread keeps a stack of the contexts of whatever it is polling. A scope pushes its context before each poll and
//! pops it after, so the stack is empty between polls and a task can move between threads.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Context, Handle};
use crate::session::Engine;

/// A context the running code is in.
struct Frame {
    context: Handle,
    /// Whether this is the inside of an update, to whose lock nested calls are entitled.
    updating: bool,
}

thread_local! {
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside a context. Meanwhile the context is in the stack and not in its place, which saves counting another
/// reference to it.
pub(super) fn within<R>(place: &mut Option<Handle>, updating: bool, f: impl FnOnce() -> R) -> R {
    /// Puts the context back in any case, a panic included.
    struct Inside<'a>(&'a mut Option<Handle>);

    impl Drop for Inside<'_> {
        fn drop(&mut self) {
            *self.0 = STACK.with_borrow_mut(Vec::pop).map(|frame| frame.context);
        }
    }

    // A thread that is ending has no stack any more; what runs in its destructors runs outside of any context.
    let pushed = STACK.try_with(|stack| {
        let context = place.take().expect("a context is in its place between polls");
        stack.borrow_mut().push(Frame { context, updating });
    });
    let inside = pushed.is_ok().then_some(Inside(place));
    let result = f();
    drop(inside);
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
            let mut contexts = stack.iter().rev().map(|frame| &frame.context.0);
            let context = contexts.find(|context| matches(&context.engine))?;
            // A load first: the flag is set once, and then only looked at.
            if !context.used.load(Ordering::Relaxed) {
                context.used.store(true, Ordering::Relaxed);
            }
            Some(Arc::clone(context))
        })
        .ok()
        .flatten()
}

/// Whether the running code is inside an update of this context.
pub(super) fn is_updating(context: &Context) -> bool {
    let found = |frame: &Frame| frame.updating && std::ptr::eq(&*frame.context.0, context);
    STACK
        .try_with(|stack| stack.borrow().iter().any(found))
        .unwrap_or(false)
}
