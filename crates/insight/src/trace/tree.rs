//! The tree that calls make: who called whom, and what of a call's time is its own.

use std::collections::HashMap;
use std::sync::Arc;

use super::part::{Call, Function, Work};

/// Calls as a tree. Calls are told apart by number; those that a call made come after it, in the order of their times.
#[derive(Debug)]
pub struct Tree {
    calls: Vec<Call>,
    nodes: Vec<Node>,
    roots: Vec<usize>,
    functions: Vec<Arc<Function>>,
}

/// Where a call stands in its tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The call that made it; none for a root, and where that call is not there.
    pub parent: Option<usize>,
    /// The calls that it made, by the time they began.
    pub children: Vec<usize>,
    /// How many calls lead to it.
    pub depth: u32,
    /// Nanoseconds in which none of the calls it made was under way.
    pub self_ns: u64,
    /// Whether a call of the same function led to it.
    pub is_recursive: bool,
    /// The number of its function in the tree.
    pub function: usize,
}

impl Tree {
    /// The tree of these calls. A call that comes twice counts once; one that leads to itself becomes a root.
    pub fn new(calls: impl IntoIterator<Item = Call>) -> Self {
        let told: Vec<Call> = calls.into_iter().collect();
        let order = order(&told);
        let mut places = vec![0; told.len()];
        order.iter().enumerate().for_each(|(place, (number, _))| places[*number] = place);
        let mut nodes: Vec<Node> = Vec::with_capacity(order.len());
        let mut roots = Vec::new();
        for (place, &(_, parent)) in order.iter().enumerate() {
            let parent = parent.map(|parent| places[parent]);
            match parent {
                Some(parent) => nodes[parent].children.push(place),
                None => roots.push(place),
            }
            let depth = parent.map_or(0, |parent: usize| nodes[parent].depth + 1);
            nodes.push(Node { parent, depth, ..Node::default() });
        }
        let mut told: Vec<Option<Call>> = told.into_iter().map(Some).collect();
        let calls: Vec<Call> = order.iter().filter_map(|(number, _)| told[*number].take()).collect();
        let functions = number_functions(&calls, &mut nodes);
        let mut tree = Self { calls, nodes, roots, functions };
        tree.measure();
        tree
    }

    /// The calls: each after the one that made it, otherwise by time.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Where each stands.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Those that no call here made.
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The functions that were called, each once, in the order of their first calls.
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.functions
    }

    /// The number of a call.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.calls.iter().position(|call| call.id == id)
    }

    /// A call and all that it led to, each after the one that made it. They follow one another.
    pub fn below(&self, root: usize) -> std::ops::Range<usize> {
        let depth = self.nodes[root].depth;
        let after = self.nodes[root + 1..].iter().position(|node| node.depth <= depth);
        root..after.map_or(self.nodes.len(), |after| root + 1 + after)
    }

    /// Whether a call is a query of a database, and not one that is told as the queries that it makes: a mapper's or a
    /// transaction's.
    pub fn is_query(&self, place: usize) -> bool {
        let is_database = |place: usize| self.calls[place].work == Work::Database;
        is_database(place) && !self.nodes[place].children.iter().any(|child| is_database(*child))
    }

    fn measure(&mut self) {
        // the calls that lead to a call, and how many of each function
        let mut open: Vec<usize> = Vec::new();
        let mut times = vec![0_u32; self.functions.len()];
        for place in 0..self.nodes.len() {
            while let Some(&last) = open.last()
                && self.nodes[place].parent != Some(last)
            {
                times[self.nodes[last].function] -= 1;
                open.pop();
            }
            let function = self.nodes[place].function;
            self.nodes[place].is_recursive = times[function] > 0;
            times[function] += 1;
            open.push(place);
            self.nodes[place].self_ns = self.own_time(place);
        }
    }

    /// A call's time without that in which calls it made were under way; some may have been so at once, and some may
    /// have gone on when it had ended.
    fn own_time(&self, place: usize) -> u64 {
        let call = &self.calls[place];
        let (begin, end) = span(call);
        let (mut covered, mut up_to) = (0_u64, begin);
        for &child in &self.nodes[place].children {
            let (from, to) = span(&self.calls[child]);
            let (from, to) = (from.max(up_to), to.min(end));
            if to > from {
                covered += from.abs_diff(to);
                up_to = to;
            }
        }
        call.duration_ns.saturating_sub(covered)
    }
}

fn span(call: &Call) -> (i64, i64) {
    (call.start_ns, call.start_ns.saturating_add_unsigned(call.duration_ns))
}

/// Numbers functions in the order of their first calls. Calls of one part share their functions, so most are known by
/// where they lie.
fn number_functions(calls: &[Call], nodes: &mut [Node]) -> Vec<Arc<Function>> {
    let mut by_place: HashMap<*const Function, usize> = HashMap::new();
    let mut by_value: HashMap<&Function, usize> = HashMap::new();
    let mut functions = Vec::new();
    for (call, node) in calls.iter().zip(nodes) {
        node.function = *by_place.entry(Arc::as_ptr(&call.function)).or_insert_with(|| {
            *by_value.entry(&call.function).or_insert_with(|| {
                functions.push(call.function.clone());
                functions.len() - 1
            })
        });
    }
    functions
}

/// The calls from above, depth first, each with the one that made it; a call that comes again is left out.
fn order(calls: &[Call]) -> Vec<(usize, Option<usize>)> {
    let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(calls.len());
    for (number, call) in calls.iter().enumerate() {
        numbers.entry(&call.id).or_insert(number);
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); calls.len()];
    let mut roots = Vec::new();
    let mut seen = vec![false; calls.len()];
    for (number, call) in calls.iter().enumerate() {
        if numbers.get(call.id.as_str()) != Some(&number) {
            seen[number] = true;
            continue;
        }
        match call.parent.as_deref().and_then(|parent| numbers.get(parent)) {
            Some(parent) => children[*parent].push(number),
            None => roots.push(number),
        }
    }
    let by_time = |numbers: &mut Vec<usize>| {
        numbers.sort_by(|a, b| (calls[*a].start_ns, &calls[*a].id).cmp(&(calls[*b].start_ns, &calls[*b].id)));
    };
    by_time(&mut roots);
    children.iter_mut().for_each(by_time);
    let mut order = Vec::with_capacity(calls.len());
    let walk = |root: usize, order: &mut Vec<(usize, Option<usize>)>, seen: &mut Vec<bool>| {
        let mut open = vec![(root, None)];
        while let Some((number, parent)) = open.pop() {
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            order.push((number, parent));
            open.extend(children[number].iter().rev().map(|child| (*child, Some(number))));
        }
    };
    for root in roots {
        walk(root, &mut order, &mut seen);
    }
    // what is left leads to itself: the first of each circle is taken for its root
    let mut left: Vec<usize> = (0..calls.len()).filter(|number| !seen[*number]).collect();
    by_time(&mut left);
    for number in left {
        if !seen[number] {
            walk(number, &mut order, &mut seen);
        }
    }
    order
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
