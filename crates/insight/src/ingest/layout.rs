//! Places calls whose start is not given: one after the other within their parent, in their order.

use std::collections::{HashMap, HashSet};

use crate::trace::Span;

/// Sets the start of the `unplaced` spans, which are given by index. `orders` are those of all among the calls of their
/// parent (default: that of the list). The spans must be free of cycles.
pub(super) fn lay_out(
    spans: &mut [Span],
    unplaced: &HashSet<usize>,
    orders: &[Option<f64>],
    root: &str,
    start_ns: i64,
) {
    let mut children: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, span) in spans.iter().enumerate() {
        children.entry(span.parent.as_deref().unwrap_or_default()).or_default().push(index);
    }
    let order = |index: &usize| orders.get(*index).copied().flatten();
    for siblings in children.values_mut() {
        // stable, so that calls without an order stay where they are in the list
        siblings.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    }
    let mut starts: Vec<i64> = spans.iter().map(|span| span.start_ns).collect();
    // the record itself may be one of the calls
    let own = spans.iter().position(|span| span.id == root);
    let mut pending = vec![(root, own.map_or(start_ns, |own| starts[own]))];
    while let Some((parent, start)) = pending.pop() {
        let mut next = start;
        for &index in children.get(parent).into_iter().flatten() {
            if unplaced.contains(&index) {
                starts[index] = next;
            }
            next = next.max(starts[index].saturating_add_unsigned(spans[index].duration_ns));
            pending.push((&spans[index].id, starts[index]));
        }
    }
    spans.iter_mut().zip(starts).for_each(|(span, start)| span.start_ns = start);
}
