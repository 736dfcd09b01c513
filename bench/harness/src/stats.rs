//! What a load run found out.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart, in nanoseconds; longer ones count as this.
const LONGEST_NS: u64 = 120_000_000_000;

/// Collected while the load runs. One for all connections: they share a thread.
pub struct Stats {
    /// Nanoseconds from the first byte of a request written to the last byte of its answer read.
    latency: Histogram<u64>,
    /// Nanoseconds to the first byte of the answer's body, for streams.
    first_byte: Histogram<u64>,
    /// Right answers within the measured window.
    pub measured: u64,
    /// Right answers in all: warm-up and those that ended after the window included.
    pub completed: u64,
    /// Requests written in full, whatever became of them.
    pub sent: u64,
    /// Wrong or missing answers in all, by what was wrong.
    pub errors: BTreeMap<String, u64>,
    /// Bytes of answers' bodies read, and of requests written.
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Stats {
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds are valid");
        Self {
            latency: histogram(),
            first_byte: histogram(),
            measured: 0,
            completed: 0,
            sent: 0,
            errors: BTreeMap::new(),
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    pub fn measure(&mut self, latency: Duration, first_byte: Option<Duration>) {
        self.measured += 1;
        self.latency.saturating_record(nanos(latency));
        if let Some(first_byte) = first_byte {
            self.first_byte.saturating_record(nanos(first_byte));
        }
    }

    pub fn fail(&mut self, kind: String) {
        *self.errors.entry(kind).or_default() += 1;
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(LONGEST_NS).max(1)
}

/// Microseconds at the usual percentiles.
#[derive(Debug, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
    pub mean: f64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a latency are far below 2^53")]
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: at(1.0),
            mean: histogram.mean() / 1e3,
        })
    }
}

/// The result of a run, as printed.
#[derive(Debug, Serialize)]
pub struct Report {
    pub url: String,
    pub stream: bool,
    pub connections: usize,
    /// Length of the measured window in seconds.
    pub seconds: f64,
    /// Right answers within the window.
    pub requests: u64,
    pub requests_per_second: f64,
    pub latency_us: Option<Percentiles>,
    /// To the first byte of the body; streams only.
    pub first_byte_us: Option<Percentiles>,
    pub sent: u64,
    pub completed: u64,
    pub errors: BTreeMap<String, u64>,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Report {
    pub fn new(stats: Stats, url: String, stream: bool, connections: usize, window: Duration) -> Self {
        let seconds = window.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^53")]
        let requests_per_second = if seconds > 0.0 { stats.measured as f64 / seconds } else { 0.0 };
        Self {
            url,
            stream,
            connections,
            seconds,
            requests: stats.measured,
            requests_per_second,
            latency_us: Percentiles::of(&stats.latency),
            first_byte_us: Percentiles::of(&stats.first_byte),
            sent: stats.sent,
            completed: stats.completed,
            errors: stats.errors,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
        }
    }

    pub fn failures(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} connections, {:.1} s: {} right answers, {:.0} a second; {} wrong",
            self.connections,
            self.seconds,
            self.requests,
            self.requests_per_second,
            self.failures()
        )?;
        for (name, found) in [("latency", &self.latency_us), ("first byte", &self.first_byte_us)] {
            if let Some(p) = found {
                writeln!(
                    f,
                    "{name:>10}  p50 {:.0} µs  p90 {:.0} µs  p99 {:.0} µs  max {:.0} µs",
                    p.p50, p.p90, p.p99, p.max
                )?;
            }
        }
        for (kind, count) in &self.errors {
            writeln!(f, "     error  {count} × {kind}")?;
        }
        Ok(())
    }
}
