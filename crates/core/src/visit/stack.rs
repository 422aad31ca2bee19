//! Which contexts the running task is in.
//!
//! A thread keeps a stack of the contexts of whatever it is polling. A scope pushes its context before each poll and
//! pops it after, so the stack is empty between polls and a task can move between threads.

use std::any::TypeId;
use std::cell::RefCell;
use std::sync::Arc;

use crate::settings::Settings;
use crate::visit::Context;

/// A visit, as the tasks that work on it carry it along.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) context: Arc<Context>,
    /// Whether what runs inside is an update of the visit.
    pub(super) updating: bool,
}

impl Frame {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            updating: false,
        }
    }

    pub(super) fn updating(context: Arc<Context>) -> Self {
        Self {
            context,
            updating: true,
        }
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.context.settings
    }
}

thread_local! {
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside a context. Meanwhile the context is in the stack and not in its place, which saves counting another
/// reference to it.
#[inline(always)] // What runs inside is a future, or makes one, which is moved once less for it.
pub(super) fn within<R>(place: &mut Option<Frame>, f: impl FnOnce() -> R) -> R {
    /// Puts the context back in any case, a panic included.
    struct Inside<'a>(&'a mut Option<Frame>);

    impl Drop for Inside<'_> {
        #[inline]
        fn drop(&mut self) {
            *self.0 = STACK.with_borrow_mut(Vec::pop);
        }
    }

    // A thread that is ending has no stack any more; what runs in its destructors runs outside of any context.
    let pushed = STACK.try_with(|stack| {
        let frame = place.take().expect("a context is in its place between polls");
        stack.borrow_mut().push(frame);
    });
    let _inside = pushed.is_ok().then_some(Inside(place));
    f()
}

/// The innermost context of this session, which is made if this is the first time that anybody asks for it.
pub(crate) fn current(settings: &Arc<Settings>) -> Option<Arc<Context>> {
    STACK
        .try_with(|stack| {
            let stack = stack.borrow();
            let frame = stack.iter().rfind(|frame| Arc::ptr_eq(frame.settings(), settings))?;
            Some(Arc::clone(&frame.context))
        })
        .ok()
        .flatten()
}

/// The innermost session that was declared with these namespaces and values.
pub(crate) fn find_declared(declared: TypeId) -> Option<Arc<Settings>> {
    STACK
        .try_with(|stack| {
            let stack = stack.borrow();
            let mut all = stack.iter().rev().map(Frame::settings);
            all.find(|settings| settings.declared == declared).cloned()
        })
        .ok()
        .flatten()
}

/// The innermost session, however it was declared.
pub(crate) fn innermost() -> Option<Arc<Settings>> {
    STACK
        .try_with(|stack| stack.borrow().last().map(|frame| Arc::clone(frame.settings())))
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
