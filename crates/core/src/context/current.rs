//! Which contexts the running task is in.
//!
//! A thread keeps a stack of the contexts of whatever it is polling. A scope pushes its context before each poll and
//! pops it after, so the stack is empty between polls and a task can move between threads.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::Arc;

use super::Context;
use super::entry::Entry;
use crate::session::Engine;

thread_local! {
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside a context. Meanwhile the context is in the stack and not in its place, which saves counting another
/// reference to it.
#[inline(always)] // What runs inside is a future, or makes one, which is moved once less for it.
pub(super) fn within<R>(place: &mut Option<Entry>, f: impl FnOnce() -> R) -> R {
    /// Puts the context back in any case, a panic included.
    struct Inside<'a>(&'a mut Option<Entry>);

    impl Drop for Inside<'_> {
        #[inline]
        fn drop(&mut self) {
            *self.0 = STACK.with_borrow_mut(Vec::pop);
        }
    }

    // A thread that is ending has no stack any more; what runs in its destructors runs outside of any context.
    let pushed = STACK.try_with(|stack| {
        let entry = place.take().expect("a context is in its place between polls");
        stack.borrow_mut().push(entry);
    });
    let _inside = pushed.is_ok().then_some(Inside(place));
    f()
}

/// The innermost context of this session, which is made if this is the first time that anybody asks for it.
pub(crate) fn current(engine: &Arc<Engine>) -> Option<Arc<Context>> {
    STACK
        .try_with(|stack| {
            let stack = stack.borrow();
            let entry = stack.iter().rfind(|entry| Arc::ptr_eq(entry.engine(), engine))?;
            Some(Arc::clone(&entry.context))
        })
        .ok()
        .flatten()
}

/// The innermost session that was declared with these namespaces and values.
pub(crate) fn find_engine(declared: TypeId) -> Option<Arc<Engine>> {
    STACK
        .try_with(|stack| {
            let stack = stack.borrow();
            let mut engines = stack.iter().rev().map(Entry::engine);
            engines.find(|engine| engine.declared == declared).cloned()
        })
        .ok()
        .flatten()
}

/// The innermost session, however it was declared.
pub(crate) fn innermost() -> Option<Arc<Engine>> {
    STACK
        .try_with(|stack| stack.borrow().last().map(|entry| Arc::clone(entry.engine())))
        .ok()
        .flatten()
}

/// Whether the running code is inside an update of this context.
pub(super) fn is_updating(context: &Context) -> bool {
    let found = |entry: &Entry| entry.updating && std::ptr::eq(&*entry.context, context);
    STACK
        .try_with(|stack| stack.borrow().iter().any(found))
        .unwrap_or(false)
}
