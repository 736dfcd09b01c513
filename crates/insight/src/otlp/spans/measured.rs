//! Processor time and memory of a span, where the application reports them: there is no convention for them.

use super::context::SpanWithResource;
use crate::trace::Measurements;

/// Processor time, in seconds.
const CPU_TIME: [&str; 3] = ["cpu.time", "cpu_time", "process.cpu.time"];
/// Growth of memory, in bytes.
const MEMORY_DELTA: [&str; 3] = ["memory.delta", "memory_delta", "process.memory.delta"];
/// Peak memory, in bytes.
const MEMORY_PEAK: [&str; 5] =
    ["memory.peak", "memory_peak", "peak_memory", "process.memory.peak", "process.memory.usage"];
/// Maximum processor time, in seconds: that of 1,000 processors for a day.
const MAX_CPU: f64 = 86_400_000.0;
/// Maximum size of memory, in bytes.
const MAX_BYTES: f64 = 1e15;

/// Whether an attribute is one of these.
pub(super) fn is_measurement(name: &str) -> bool {
    [&CPU_TIME[..], &MEMORY_DELTA, &MEMORY_PEAK].iter().any(|names| names.contains(&name))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
pub(super) fn cpu_ns(context: &SpanWithResource<'_>) -> Option<u64> {
    let seconds = context.attributes.double(&CPU_TIME)?;
    (0.0..=MAX_CPU).contains(&seconds).then(|| (seconds * 1e9).round() as u64)
}

pub(super) fn memory_delta(context: &SpanWithResource<'_>) -> Option<i64> {
    bytes(context.attributes.double(&MEMORY_DELTA)?)
}

/// The measurements of a server span; the rest is measured from the spans below it.
pub(super) fn measurements(context: &SpanWithResource<'_>) -> Measurements {
    let peak = context.attributes.double(&MEMORY_PEAK).filter(|peak| *peak >= 0.0);
    Measurements {
        cpu_ns: cpu_ns(context),
        memory_peak: peak.and_then(bytes),
        memory_delta: memory_delta(context),
        ..Measurements::default()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn bytes(number: f64) -> Option<i64> {
    (-MAX_BYTES..=MAX_BYTES).contains(&number).then(|| number.round() as i64)
}
