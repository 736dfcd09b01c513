//! Threads for CPU-bound work, with a lower priority than those that serve requests.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Nice value of the threads: with 10 a serving thread gets about nine times their processor time under contention.
/// Without contention they run at full speed.
const NICE: i32 = 10;

/// Only its blocking pool is used. A nice value can't be lowered again without privileges, so these threads do nothing
/// else.
pub(super) static THREADS: LazyLock<Runtime> = LazyLock::new(|| {
    let threads = Builder::new_current_thread().thread_name("heavy").on_thread_start(lower_priority).build();
    threads.expect("a runtime without drivers needs no resources of the system")
});

fn lower_priority() {
    // On other systems priorities apply to the process. If it is refused, the work runs at the normal priority.
    #[cfg(target_os = "linux")]
    {
        _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    }
}
