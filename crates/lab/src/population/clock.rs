//! A monotonic clock that all processes of a machine share.

/// Returns the nanoseconds since a moment that is the same for every process.
#[cfg(unix)]
pub(super) fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let nanos = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    u64::try_from(nanos).unwrap_or_default()
}

/// Returns the nanoseconds since the Unix epoch, which is the best clock that several processes share here.
#[cfg(not(unix))]
pub(super) fn monotonic() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
