//! Threads for heavy work, at a lower priority than those that serve.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Nice value of the threads: with 10 a thread that serves gets about nine times their processor time when it wants it.
/// Without contention they run as fast as any.
const NICE: i32 = 10;

/// Only its pool of blocking threads is used. A nice value can't be lowered again without privileges, so these threads
/// do nothing else.
pub(super) static THREADS: LazyLock<Runtime> = LazyLock::new(|| {
    let threads = Builder::new_current_thread().thread_name("heavy").on_thread_start(lower_priority).build();
    threads.expect("a runtime without drivers needs no resources of the system")
});

fn lower_priority() {
    // On other systems priorities belong to the process. Refused, the work runs at the usual priority.
    #[cfg(target_os = "linux")]
    {
        _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    }
}
