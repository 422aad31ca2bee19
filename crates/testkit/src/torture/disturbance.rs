//! [`Disturbance`]: faults of the storage itself.

use crate::history::Setback;

/// A fault of the servers of a storage, or of the connections to them, that is injected while workers use the storage.
///
/// ```no_run
/// use sessile_testkit::history::Setback;
/// use sessile_testkit::torture::Disturbance;
/// # struct Server;
/// # impl Server { fn kill(&mut self) {} fn start(&mut self) {} }
///
/// /// A server that keeps nothing on disk dies, and comes back empty.
/// struct Crash(Server);
///
/// impl Disturbance for Crash {
///     fn strike(&mut self, _: u64) -> Option<Setback> {
///         let setback = Setback::during(|| self.0.kill());
///         self.0.start();
///         Some(setback)
///     }
/// }
/// ```
pub trait Disturbance {
    /// Injects the fault once, and returns when it is over. The driver calls this repeatedly, with pauses between the
    /// calls.
    ///
    /// `chance` is a number that follows from the seed. Use it to choose between kinds of faults.
    ///
    /// Returns the period in which the storage fell back to an earlier state, if it did.
    fn strike(&mut self, chance: u64) -> Option<Setback>;

    /// Repairs the storage at the end. The state found after this is the last of the history.
    fn heal(&mut self) {}
}
