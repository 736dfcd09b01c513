//! Estimates the memory of a message before it is decoded: two bytes of protobuf can become hundreds.

use super::raw_field::RawField;

/// Field numbers of nested messages, from the outermost inwards.
type Path = &'static [&'static [u32]];

/// Resources, scopes, spans; the fields of a span are counted.
pub(in crate::otlp) const TRACES: Path = &[&[1], &[2], &[2]];
/// Resources, scopes, log records; the fields of a log record are counted.
pub(in crate::otlp) const LOGS: Path = &[&[1], &[2], &[2]];
/// Resources, scopes, metrics, their data; the fields of the data are counted.
pub(in crate::otlp) const METRICS: Path = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11]];

/// The number of length-delimited fields along the path. Stops counting beyond `max`, and at invalid protobuf, which is
/// reported when it is decoded.
pub(in crate::otlp) fn count_fields(mut bytes: &[u8], path: Path, max: usize) -> usize {
    let mut count = 0;
    while !bytes.is_empty() && count <= max {
        let Some(field) = RawField::split(&mut bytes) else { break };
        if let Some(content) = field.content {
            count += 1;
            if let Some((fields, path)) = path.split_first()
                && fields.contains(&field.number)
            {
                count += count_fields(content, path, max - count.min(max));
            }
        }
    }
    count
}
