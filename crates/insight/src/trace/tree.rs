//! The call tree of a trace: parents and children, and the self time of each span.

use std::collections::HashMap;
use std::sync::Arc;

use super::chunk::{Function, OperationKind, Span};

/// A call tree. Spans are identified by index: children follow their parent, ordered by start time.
#[derive(Debug)]
pub struct Tree {
    spans: Vec<Span>,
    nodes: Vec<Node>,
    roots: Vec<usize>,
    functions: Vec<Arc<Function>>,
}

/// The position of a span in its tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The parent span; none for a root, and if the parent is not in the tree.
    pub parent: Option<usize>,
    /// The child spans, by start time.
    pub children: Vec<usize>,
    /// Number of ancestors.
    pub depth: u32,
    /// Self time: nanoseconds in which no child span was active.
    pub self_ns: u64,
    /// Whether an ancestor calls the same function.
    pub is_recursive: bool,
    /// The index of its function in [`Tree::functions`].
    pub function: usize,
}

impl Tree {
    /// Builds the tree. Duplicate span ids are ignored after the first; in a cycle of parents the earliest span becomes
    /// a root.
    pub fn new(spans: impl IntoIterator<Item = Span>) -> Self {
        let input: Vec<Span> = spans.into_iter().collect();
        let order = order(&input);
        let mut indexes = vec![0; input.len()];
        order.iter().enumerate().for_each(|(index, (number, _))| indexes[*number] = index);
        let mut nodes: Vec<Node> = Vec::with_capacity(order.len());
        let mut roots = Vec::new();
        for (index, &(_, parent)) in order.iter().enumerate() {
            let parent = parent.map(|parent| indexes[parent]);
            match parent {
                Some(parent) => nodes[parent].children.push(index),
                None => roots.push(index),
            }
            let depth = parent.map_or(0, |parent: usize| nodes[parent].depth + 1);
            nodes.push(Node { parent, depth, ..Node::default() });
        }
        let mut input: Vec<Option<Span>> = input.into_iter().map(Some).collect();
        let spans: Vec<Span> = order.iter().filter_map(|(number, _)| input[*number].take()).collect();
        let functions = number_functions(&spans, &mut nodes);
        let mut tree = Self { spans, nodes, roots, functions };
        tree.measure();
        tree
    }

    /// The spans in depth-first order; siblings by start time.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The position of each span.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The spans without a parent in the tree.
    pub fn roots(&self) -> &[usize] {
        &self.roots
    }

    /// The distinct functions, in the order of their first spans.
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.functions
    }

    /// The index of the span with this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.spans.iter().position(|span| span.id == id)
    }

    /// A span and its descendants, which are contiguous.
    pub fn subtree(&self, root: usize) -> std::ops::Range<usize> {
        let depth = self.nodes[root].depth;
        let after = self.nodes[root + 1..].iter().position(|node| node.depth <= depth);
        root..after.map_or(self.nodes.len(), |after| root + 1 + after)
    }

    /// Whether a span is a database query, and not a wrapper (of an ORM or a transaction) around the queries below it.
    pub fn is_query(&self, index: usize) -> bool {
        let is_database = |index: usize| self.spans[index].kind == OperationKind::Database;
        is_database(index) && !self.nodes[index].children.iter().any(|child| is_database(*child))
    }

    fn measure(&mut self) {
        // the ancestors of the current span, and how many of them call each function
        let mut ancestors: Vec<usize> = Vec::new();
        let mut open_counts = vec![0_u32; self.functions.len()];
        for index in 0..self.nodes.len() {
            while let Some(&last) = ancestors.last()
                && self.nodes[index].parent != Some(last)
            {
                open_counts[self.nodes[last].function] -= 1;
                ancestors.pop();
            }
            let function = self.nodes[index].function;
            self.nodes[index].is_recursive = open_counts[function] > 0;
            open_counts[function] += 1;
            ancestors.push(index);
            self.nodes[index].self_ns = self.self_time(index);
        }
    }

    /// The duration of a span without the time in which its children were active. Children can overlap, and can outlast
    /// their parent.
    fn self_time(&self, index: usize) -> u64 {
        let span = &self.spans[index];
        let (begin, end) = interval(span);
        let (mut covered, mut covered_until) = (0_u64, begin);
        for &child in &self.nodes[index].children {
            let (from, to) = interval(&self.spans[child]);
            let (from, to) = (from.max(covered_until), to.min(end));
            if to > from {
                covered += from.abs_diff(to);
                covered_until = to;
            }
        }
        span.duration_ns.saturating_sub(covered)
    }
}

fn interval(span: &Span) -> (i64, i64) {
    (span.start_ns, span.start_ns.saturating_add_unsigned(span.duration_ns))
}

/// Assigns function indexes in the order of first occurrence. The spans of one chunk share their functions, so most are
/// found by address.
fn number_functions(spans: &[Span], nodes: &mut [Node]) -> Vec<Arc<Function>> {
    let mut by_address: HashMap<*const Function, usize> = HashMap::new();
    let mut by_value: HashMap<&Function, usize> = HashMap::new();
    let mut functions = Vec::new();
    for (span, node) in spans.iter().zip(nodes) {
        node.function = *by_address.entry(Arc::as_ptr(&span.function)).or_insert_with(|| {
            *by_value.entry(&span.function).or_insert_with(|| {
                functions.push(span.function.clone());
                functions.len() - 1
            })
        });
    }
    functions
}

/// Indexes of the spans in depth-first order, each with its parent's; duplicates are left out.
fn order(spans: &[Span]) -> Vec<(usize, Option<usize>)> {
    let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(spans.len());
    for (number, span) in spans.iter().enumerate() {
        numbers.entry(&span.id).or_insert(number);
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut roots = Vec::new();
    let mut seen = vec![false; spans.len()];
    for (number, span) in spans.iter().enumerate() {
        if numbers.get(span.id.as_str()) != Some(&number) {
            seen[number] = true;
            continue;
        }
        match span.parent.as_deref().and_then(|parent| numbers.get(parent)) {
            Some(parent) => children[*parent].push(number),
            None => roots.push(number),
        }
    }
    let by_time = |numbers: &mut Vec<usize>| {
        numbers.sort_by(|a, b| (spans[*a].start_ns, &spans[*a].id).cmp(&(spans[*b].start_ns, &spans[*b].id)));
    };
    by_time(&mut roots);
    children.iter_mut().for_each(by_time);
    let mut order = Vec::with_capacity(spans.len());
    let walk = |root: usize, order: &mut Vec<(usize, Option<usize>)>, seen: &mut Vec<bool>| {
        let mut ancestors = vec![(root, None)];
        while let Some((number, parent)) = ancestors.pop() {
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            order.push((number, parent));
            ancestors.extend(children[number].iter().rev().map(|child| (*child, Some(number))));
        }
    };
    for root in roots {
        walk(root, &mut order, &mut seen);
    }
    // the rest are cycles: the earliest span of each is taken as its root
    let mut left: Vec<usize> = (0..spans.len()).filter(|number| !seen[*number]).collect();
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
