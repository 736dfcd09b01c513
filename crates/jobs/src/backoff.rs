//! The delay before a failed job is retried.

use std::time::Duration;

use loam_kernel::Clock;

const FIRST_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(3600);

/// The delay after the given attempt (from 1): 5 s, doubled with every attempt up to an hour, reduced by a
/// random share of up to half, so that jobs that failed together are not retried together.
pub(crate) fn wait(clock: &Clock, attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(16);
    let whole = FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY);
    let random = f64::from(u32::from_le_bytes(clock.random())) / f64::from(u32::MAX);
    whole.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_an_hour() {
        let clock = Clock::system();
        for (attempt, whole) in [(1, 5), (2, 10), (5, 80), (10, 2560), (11, 3600), (1000, 3600)] {
            let whole = Duration::from_secs(whole);
            for _ in 0..50 {
                let wait = wait(&clock, attempt);
                assert!(wait >= whole / 2 && wait <= whole, "attempt {attempt}: {wait:?} of {whole:?}");
            }
        }
    }
}
