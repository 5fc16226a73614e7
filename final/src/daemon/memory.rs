//! Memory that is not needed any more goes back to the machine.
//!
//! The allocator keeps what was freed for the next time. After a thousand clients at once that is tens of
//! megabytes which an idle daemon would hold on to for ever.

use std::time::Duration;

use super::idle::Connections;

/// So long nobody must be connected before it is worth the time; and again later, since what was
/// done for a client that has left may take a while to notice.
const QUIET: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// Gives it back whenever the last client has gone, for ever.
pub async fn give_back(connections: Connections) {
    loop {
        connections.last_closed().await;
        for wait in QUIET {
            tokio::time::sleep(wait).await;
            if connections.any() {
                break;
            }
            trim();
        }
    }
}

/// Has all threads share two of the allocator's pools. It would make one for each thread, up to eight for a
/// processor, and keep half a megabyte in each of them for ever; what a daemon does doesn't wait for memory.
/// To be called while there is one thread.
pub fn few_pools() {
    // SAFETY: mallopt(3) takes two numbers; nobody else allocates meanwhile.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

fn trim() {
    // SAFETY: malloc_trim(3) takes a number and may be called by any thread at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
