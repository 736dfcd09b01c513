//! Index over the calls of a request, built in one pass and shared by all rules.

use std::collections::HashMap;
use std::ops::Range;

use super::limits::Limits;
use super::number::float;
use crate::trace::{Function, Node, OperationKind, Span, Tree};

/// The calls of a request with precomputed relations. A call is identified by its position in the tree.
pub(super) struct TraceIndex<'a> {
    pub(super) limits: &'a Limits,
    pub(super) root: usize,
    /// Duration of the request, in nanoseconds.
    pub(super) total_ns: u64,
    /// The functions of the request.
    pub(super) functions: Vec<FunctionSums<'a>>,
    /// Positions of calls that leave the application's code, in order of start.
    pub(super) external_calls: Vec<usize>,
    calls: &'a [Span],
    nodes: &'a [Node],
    range: Range<usize>,
    function_of: Vec<usize>,
    owner_of: Vec<usize>,
}

/// FunctionSums over the calls of a function.
pub(super) struct FunctionSums<'a> {
    pub(super) function: &'a Function,
    pub(super) calls: usize,
    pub(super) self_ns: u64,
    /// Processor time; `None` unless all calls report it.
    pub(super) cpu_ns: Option<u64>,
    /// Maximum recursion depth, and the position where it is reached.
    pub(super) deepest: (u32, usize),
    pub(super) first: usize,
    pub(super) slowest: usize,
    open: u32,
}

impl<'a> TraceIndex<'a> {
    pub(super) fn new(tree: &'a Tree, root: usize, limits: &'a Limits) -> Self {
        let (calls, nodes, range) = (tree.spans(), tree.nodes(), tree.subtree(root));
        let mut index = Self {
            limits,
            root,
            total_ns: calls[root].duration_ns.max(1),
            functions: Vec::new(),
            external_calls: Vec::new(),
            calls,
            nodes,
            function_of: Vec::with_capacity(range.len()),
            owner_of: Vec::with_capacity(range.len()),
            range,
        };
        index.walk();
        index
    }

    fn walk(&mut self) {
        let mut numbers: HashMap<&'a Function, usize> = HashMap::new();
        let mut open: Vec<usize> = Vec::new();
        for position in self.range.clone() {
            let call = &self.calls[position];
            while open.last().is_some_and(|&last| self.nodes[position].parent != Some(last)) {
                if let Some(closed) = open.pop() {
                    let function = self.function(closed);
                    self.functions[function].open -= 1;
                }
            }
            let next = self.functions.len();
            let number = *numbers.entry(&call.function).or_insert(next);
            if number == next {
                self.functions.push(FunctionSums::new(&call.function, position));
            }
            let sums = &mut self.functions[number];
            sums.add(position, call, self.nodes[position].self_ns);
            if call.duration_ns > self.calls[sums.slowest].duration_ns {
                sums.slowest = position;
            }
            open.push(position);
            self.function_of.push(number);
            let parent = self.parent(position);
            self.owner_of.push(match parent {
                Some(parent) if self.is_application_code(parent) => parent,
                Some(parent) => self.owner(parent),
                None => position,
            });
            if position != self.root && self.is_external(position) {
                self.external_calls.push(position);
            }
        }
    }

    /// Whether a call leaves the application's code. A nested duplicate does not count, such as a driver's span within
    /// that of its library.
    fn is_external(&self, position: usize) -> bool {
        let call = &self.calls[position];
        if matches!(call.kind, OperationKind::Function | OperationKind::Request) {
            return false;
        }
        let enclosing = self.parent(position).filter(|&parent| self.calls[parent].kind == call.kind);
        let statement = self.statement(position);
        enclosing.is_none_or(|outer| statement.is_some() && statement != self.statement(outer))
    }

    pub(super) fn positions(&self) -> Range<usize> {
        self.range.clone()
    }

    pub(super) fn call(&self, position: usize) -> &'a Span {
        &self.calls[position]
    }

    pub(super) fn node(&self, position: usize) -> &'a Node {
        &self.nodes[position]
    }

    /// The parent call, within the request.
    pub(super) fn parent(&self, position: usize) -> Option<usize> {
        if position == self.root { None } else { self.nodes[position].parent }
    }

    /// The index in [`Self::functions`] of a call's function.
    pub(super) fn function(&self, position: usize) -> usize {
        self.function_of[position - self.range.start]
    }

    /// The nearest enclosing call of application code: the place for a fix.
    pub(super) fn owner(&self, position: usize) -> usize {
        self.owner_of[position - self.range.start]
    }

    /// The call itself if it is application code, else its owner.
    pub(super) fn application_call(&self, position: usize) -> usize {
        if self.is_application_code(position) { position } else { self.owner(position) }
    }

    fn is_application_code(&self, position: usize) -> bool {
        let call = &self.calls[position];
        matches!(call.kind, OperationKind::Function | OperationKind::Request) && !is_library(&call.function)
    }

    /// Qualified name of the call's function.
    pub(super) fn name(&self, position: usize) -> String {
        self.calls[position].function.key()
    }

    /// The statement, key or address of a call.
    pub(super) fn statement(&self, position: usize) -> Option<&'a str> {
        let statement = self.calls[position].detail.as_ref()?.statement.as_deref()?;
        (!statement.is_empty()).then_some(statement)
    }

    /// Share of the request's duration.
    pub(super) fn share(&self, ns: u64) -> f64 {
        (float(ns) / float(self.total_ns)).min(1.0)
    }

    /// The arguments of a call, if they were reported.
    pub(super) fn arguments(&self, position: usize) -> Option<&'a str> {
        let detail = self.calls[position].detail.as_ref()?;
        detail.attributes.get("arguments").map(String::as_str)
    }

    /// Time in which at least one of these calls was running, within the request, in nanoseconds.
    pub(super) fn busy(&self, positions: impl IntoIterator<Item = usize>) -> u64 {
        let intervals = positions.into_iter().map(|position| interval(&self.calls[position])).collect();
        covered(intervals, interval(&self.calls[self.root]))
    }

    /// The child calls, by start time.
    pub(super) fn children(&self, position: usize) -> &'a [usize] {
        &self.nodes[position].children
    }

    /// Whether at most one in five calls overlaps the next.
    pub(super) fn in_sequence(&self, positions: &[usize]) -> bool {
        let overlaps = positions.windows(2).filter(|pair| {
            let (_, end) = interval(&self.calls[pair[0]]);
            self.calls[pair[1]].start_ns < end
        });
        overlaps.count() * 5 <= positions.len()
    }

    pub(super) fn failed(&self, position: usize) -> bool {
        let call = &self.calls[position];
        call.exception.is_some()
            || call.detail.as_ref().and_then(|detail| detail.status_code).is_some_and(|status| status >= 500)
    }
}

impl<'a> FunctionSums<'a> {
    fn new(function: &'a Function, first: usize) -> Self {
        Self {
            function,
            calls: 0,
            self_ns: 0,
            cpu_ns: Some(0),
            deepest: (0, first),
            first,
            slowest: first,
            open: 0,
        }
    }

    fn add(&mut self, position: usize, call: &Span, self_ns: u64) {
        self.calls += 1;
        self.self_ns = self.self_ns.saturating_add(self_ns);
        self.cpu_ns = self.cpu_ns.zip(call.cpu_ns).map(|(all, one)| all.saturating_add(one));
        self.open += 1;
        if self.open > self.deepest.0 {
            self.deepest = (self.open, position);
        }
    }
}

/// Whether a function belongs to the standard library or an installed package.
fn is_library(function: &Function) -> bool {
    const LIBRARY_PATHS: [&str; 5] =
        ["site-packages", "dist-packages", "/lib/python", "<frozen", "node_modules"];
    function.file_path.as_deref().is_some_and(|path| LIBRARY_PATHS.iter().any(|part| path.contains(part)))
}

/// The time that these intervals cover within another, in nanoseconds.
pub(super) fn covered(mut intervals: Vec<(i64, i64)>, (begin, end): (i64, i64)) -> u64 {
    intervals.sort_unstable();
    let (mut covered, mut up_to) = (0_u64, begin);
    for (from, to) in intervals {
        let (from, to) = (from.max(up_to), to.min(end));
        if to > from {
            covered = covered.saturating_add(from.abs_diff(to));
            up_to = to;
        }
    }
    covered
}

pub(super) fn interval(call: &Span) -> (i64, i64) {
    (call.start_ns, call.start_ns.saturating_add_unsigned(call.duration_ns))
}
