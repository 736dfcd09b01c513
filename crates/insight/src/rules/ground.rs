//! What all rules stand on: one pass over a request's calls.

use std::collections::HashMap;
use std::ops::Range;

use super::limits::Limits;
use crate::trace::{Call, Function, Node, Tree, Work};

/// A request's calls, with what the rules ask of them. A call is known by its place in the tree.
pub(super) struct Ground<'a> {
    pub(super) limits: &'a Limits,
    pub(super) root: usize,
    /// Nanoseconds that the request took.
    pub(super) total_ns: u64,
    /// Its functions.
    pub(super) functions: Vec<Sums<'a>>,
    /// Calls of work that leaves the application's code, by time.
    pub(super) work: Vec<usize>,
    calls: &'a [Call],
    nodes: &'a [Node],
    range: Range<usize>,
    function_of: Vec<usize>,
    owner_of: Vec<usize>,
}

/// What the calls of a function come to.
pub(super) struct Sums<'a> {
    pub(super) function: &'a Function,
    pub(super) calls: usize,
    pub(super) self_ns: u64,
    /// Processor time, where all calls tell it.
    pub(super) cpu_ns: Option<u64>,
    /// How often it is open at once, at most, and where.
    pub(super) deepest: (u32, usize),
    pub(super) first: usize,
    pub(super) slowest: usize,
    open: u32,
}

impl<'a> Ground<'a> {
    pub(super) fn new(tree: &'a Tree, root: usize, limits: &'a Limits) -> Self {
        let (calls, nodes, range) = (tree.calls(), tree.nodes(), tree.below(root));
        let mut ground = Self {
            limits,
            root,
            total_ns: calls[root].duration_ns.max(1),
            functions: Vec::new(),
            work: Vec::new(),
            calls,
            nodes,
            function_of: Vec::with_capacity(range.len()),
            owner_of: Vec::with_capacity(range.len()),
            range,
        };
        ground.walk();
        ground
    }

    fn walk(&mut self) {
        let mut numbers: HashMap<&'a Function, usize> = HashMap::new();
        let mut open: Vec<usize> = Vec::new();
        for place in self.range.clone() {
            let call = &self.calls[place];
            while open.last().is_some_and(|&last| self.nodes[place].parent != Some(last)) {
                if let Some(closed) = open.pop() {
                    let function = self.function(closed);
                    self.functions[function].open -= 1;
                }
            }
            let next = self.functions.len();
            let number = *numbers.entry(&call.function).or_insert(next);
            if number == next {
                self.functions.push(Sums::new(&call.function, place));
            }
            let sums = &mut self.functions[number];
            sums.add(place, call, self.nodes[place].self_ns);
            if call.duration_ns > self.calls[sums.slowest].duration_ns {
                sums.slowest = place;
            }
            open.push(place);
            self.function_of.push(number);
            let parent = self.parent(place);
            self.owner_of.push(match parent {
                Some(parent) if self.is_own(parent) => parent,
                Some(parent) => self.owner(parent),
                None => place,
            });
            if place != self.root && self.leaves(place) {
                self.work.push(place);
            }
        }
    }

    /// Whether a call is work that leaves the application's code, and not a second telling of the one around it, as of a
    /// driver within its library.
    fn leaves(&self, place: usize) -> bool {
        let call = &self.calls[place];
        if matches!(call.work, Work::Function | Work::Request) {
            return false;
        }
        let around = self.parent(place).filter(|&parent| self.calls[parent].work == call.work);
        let statement = self.statement(place);
        around.is_none_or(|around| statement.is_some() && statement != self.statement(around))
    }

    pub(super) fn places(&self) -> Range<usize> {
        self.range.clone()
    }

    pub(super) fn call(&self, place: usize) -> &'a Call {
        &self.calls[place]
    }

    pub(super) fn node(&self, place: usize) -> &'a Node {
        &self.nodes[place]
    }

    /// The call that made it, within the request.
    pub(super) fn parent(&self, place: usize) -> Option<usize> {
        if place == self.root { None } else { self.nodes[place].parent }
    }

    /// The number of its function.
    pub(super) fn function(&self, place: usize) -> usize {
        self.function_of[place - self.range.start]
    }

    /// The nearest call above that is the application's own code: where something is mended.
    pub(super) fn owner(&self, place: usize) -> usize {
        self.owner_of[place - self.range.start]
    }

    /// A call itself, if it is the application's own code, else its owner.
    pub(super) fn own(&self, place: usize) -> usize {
        if self.is_own(place) { place } else { self.owner(place) }
    }

    fn is_own(&self, place: usize) -> bool {
        let call = &self.calls[place];
        matches!(call.work, Work::Function | Work::Request) && !is_library(&call.function)
    }

    /// What a function is called.
    pub(super) fn name(&self, place: usize) -> String {
        self.calls[place].function.key()
    }

    /// The statement, key or address of a call.
    pub(super) fn statement(&self, place: usize) -> Option<&'a str> {
        let statement = self.calls[place].detail.as_ref()?.statement.as_deref()?;
        (!statement.is_empty()).then_some(statement)
    }

    /// The share of the request.
    pub(super) fn share(&self, ns: u64) -> f64 {
        (float(ns) / float(self.total_ns)).min(1.0)
    }

    /// What a call was given, where that was told.
    pub(super) fn arguments(&self, place: usize) -> Option<&'a str> {
        let detail = self.calls[place].detail.as_ref()?;
        detail.attributes.get("arguments").map(String::as_str)
    }

    /// Nanoseconds in which at least one of these calls was under way, within the request.
    pub(super) fn busy(&self, places: impl IntoIterator<Item = usize>) -> u64 {
        let (begin, end) = span(&self.calls[self.root]);
        let mut spans: Vec<(i64, i64)> =
            places.into_iter().map(|place| span(&self.calls[place])).filter(|(from, to)| to > from).collect();
        spans.sort_unstable();
        let (mut busy, mut up_to) = (0_u64, begin);
        for (from, to) in spans {
            let (from, to) = (from.max(up_to), to.min(end));
            if to > from {
                busy = busy.saturating_add(from.abs_diff(to));
                up_to = to;
            }
        }
        busy
    }

    /// Whether each but a few begins when the one before has ended.
    pub(super) fn in_sequence(&self, places: &[usize]) -> bool {
        let overlaps = places.windows(2).filter(|pair| {
            let (_, end) = span(&self.calls[pair[0]]);
            self.calls[pair[1]].start_ns < end
        });
        overlaps.count() * 5 <= places.len()
    }

    pub(super) fn failed(&self, place: usize) -> bool {
        let call = &self.calls[place];
        call.exception.is_some()
            || call.detail.as_ref().and_then(|detail| detail.status_code).is_some_and(|status| status >= 500)
    }
}

impl<'a> Sums<'a> {
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

    fn add(&mut self, place: usize, call: &Call, self_ns: u64) {
        self.calls += 1;
        self.self_ns = self.self_ns.saturating_add(self_ns);
        self.cpu_ns = self.cpu_ns.zip(call.cpu_ns).map(|(all, one)| all.saturating_add(one));
        self.open += 1;
        if self.open > self.deepest.0 {
            self.deepest = (self.open, place);
        }
    }
}

/// Whether a function came with the language or was installed.
fn is_library(function: &Function) -> bool {
    const HOMES: [&str; 5] = ["site-packages", "dist-packages", "/lib/python", "<frozen", "node_modules"];
    function.file_path.as_deref().is_some_and(|path| HOMES.iter().any(|home| path.contains(home)))
}

pub(super) fn span(call: &Call) -> (i64, i64) {
    (call.start_ns, call.start_ns.saturating_add_unsigned(call.duration_ns))
}

#[expect(clippy::cast_precision_loss, reason = "shares and figures need no more than 53 bits")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and what is less than nothing is nothing"
)]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}
