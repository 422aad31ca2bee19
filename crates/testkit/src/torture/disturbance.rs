//! [`Disturbance`]: what befalls the storage itself.

use crate::history::Setback;

/// What befalls the servers of a storage, or the lines to them, while it is tortured.
///
/// ```no_run
/// use sessile_testkit::Setback;
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
    /// Does its worst once, and takes as long as that takes. It is called again and again, with a pause between.
    ///
    /// `chance` is a number that follows from the seed: let it choose between what can be done.
    ///
    /// Returns when the storage fell back to an earlier state, if it did.
    fn strike(&mut self, chance: u64) -> Option<Setback>;

    /// Makes the storage whole again, once all is over: what is found then is the end of the story.
    fn heal(&mut self) {}
}
