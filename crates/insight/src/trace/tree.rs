//! The tree that calls make: who called whom, and what of a call's time is its own.

use std::collections::HashMap;

use super::part::Call;

/// Calls as a tree. Calls are told apart by number; those that a call made come after it, in the order of their times.
#[derive(Debug)]
pub struct Tree {
    calls: Vec<Call>,
    nodes: Vec<Node>,
    roots: Vec<usize>,
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
}

impl Tree {
    /// The tree of these calls. A call that comes twice counts once; one that leads to itself becomes a root.
    pub fn new(calls: impl IntoIterator<Item = Call>) -> Self {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut told: Vec<Call> = Vec::new();
        for call in calls {
            if !numbers.contains_key(&call.id) {
                numbers.insert(call.id.clone(), told.len());
                told.push(call);
            }
        }
        let parents: Vec<Option<usize>> =
            told.iter().map(|call| call.parent.as_ref().and_then(|id| numbers.get(id)).copied()).collect();
        let order = order(&told, &parents);
        let mut places = vec![0; told.len()];
        order.iter().enumerate().for_each(|(place, (number, _))| places[*number] = place);
        let mut nodes: Vec<Node> = Vec::with_capacity(told.len());
        let mut roots = Vec::new();
        for (place, &(number, is_root)) in order.iter().enumerate() {
            let parent = if is_root { None } else { parents[number].map(|parent| places[parent]) };
            match parent {
                Some(parent) => nodes[parent].children.push(place),
                None => roots.push(place),
            }
            let depth = parent.map_or(0, |parent: usize| nodes[parent].depth + 1);
            nodes.push(Node { parent, depth, ..Node::default() });
        }
        let mut told: Vec<Option<Call>> = told.into_iter().map(Some).collect();
        let calls: Vec<Call> = order.iter().filter_map(|(number, _)| told[*number].take()).collect();
        let mut tree = Self { calls, nodes, roots };
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

    fn measure(&mut self) {
        // functions on the way to a call, with how many calls of each are open
        let mut open: Vec<usize> = Vec::new();
        for place in 0..self.nodes.len() {
            while open.last().is_some_and(|&last| self.nodes[place].parent != Some(last)) {
                open.pop();
            }
            let function = &self.calls[place].function;
            self.nodes[place].is_recursive =
                open.iter().any(|&before| self.calls[before].function == *function);
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

/// The calls from above, depth first; whether each is a root.
fn order(calls: &[Call], parents: &[Option<usize>]) -> Vec<(usize, bool)> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); calls.len()];
    let mut roots = Vec::new();
    for (number, parent) in parents.iter().enumerate() {
        match parent {
            Some(parent) => children[*parent].push(number),
            None => roots.push(number),
        }
    }
    let by_time = |numbers: &mut Vec<usize>| {
        numbers.sort_by(|a, b| (calls[*a].start_ns, &calls[*a].id).cmp(&(calls[*b].start_ns, &calls[*b].id)));
    };
    by_time(&mut roots);
    children.iter_mut().for_each(by_time);
    let mut seen = vec![false; calls.len()];
    let mut order = Vec::with_capacity(calls.len());
    let walk = |root: usize, order: &mut Vec<(usize, bool)>, seen: &mut Vec<bool>| {
        let mut open = vec![(root, true)];
        while let Some((number, is_root)) = open.pop() {
            if std::mem::replace(&mut seen[number], true) {
                continue;
            }
            order.push((number, is_root));
            open.extend(children[number].iter().rev().map(|child| (*child, false)));
        }
    };
    for root in roots {
        walk(root, &mut order, &mut seen);
    }
    // what is left leads to itself
    for number in 0..calls.len() {
        if !seen[number] {
            walk(number, &mut order, &mut seen);
        }
    }
    order
}
