//! The heap: few pools, so that a player of many threads does not grow for weeks.

/// How many pools the C library may keep; each thread otherwise takes one of its own, and gives little of it back.
#[cfg(target_env = "gnu")]
const POOLS: i32 = 2;

/// Limits the C library's pools of free memory, on which GStreamer's decoders live; to be called before any thread
/// is started.
///
/// glibc only (`mallopt(3)`, `M_ARENA_MAX`); other C libraries have one pool.
pub fn limit_pools() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two numbers and may be called at any time.
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, POOLS)
    };
}
