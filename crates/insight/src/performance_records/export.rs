//! A record for other tools: folded stacks, and speedscope's own format.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::trace::{Function, Tree};

/// What is deeper counts for the call at this depth: a stack is written anew for each call.
const MAX_DEPTH: u32 = 128;

/// The stacks of a record, each once, with microseconds of their own.
pub(super) struct Stacks<'a> {
    tree: &'a Tree,
    /// Of each stack the one below which it lies, and its function's number.
    stacks: Vec<(Option<usize>, usize)>,
    /// The stack of each call, with the call's own microseconds, in the order of the calls.
    samples: Vec<(usize, u64)>,
}

impl<'a> Stacks<'a> {
    pub(super) fn of(tree: &'a Tree, root: usize) -> Self {
        let mut stacks = Vec::new();
        let mut known: HashMap<(Option<usize>, usize), usize> = HashMap::new();
        let below = tree.below(root);
        let mut samples: Vec<(usize, u64)> = Vec::with_capacity(below.len());
        for place in below {
            let node = &tree.nodes()[place];
            let above = node.parent.filter(|_| place != root).map(|parent| samples[parent - root].0);
            let stack = match above {
                Some(above) if node.depth - tree.nodes()[root].depth >= MAX_DEPTH => above,
                above => *known.entry((above, node.function)).or_insert_with(|| {
                    stacks.push((above, node.function));
                    stacks.len() - 1
                }),
            };
            samples.push((stack, (node.self_ns + 500) / 1000));
        }
        Self { tree, stacks, samples }
    }

    /// The functions of a stack, the outermost first.
    fn functions(&self, stack: usize) -> Vec<usize> {
        let mut functions = Vec::new();
        let mut next = Some(stack);
        while let Some(stack) = next {
            let (above, function) = self.stacks[stack];
            functions.push(function);
            next = above;
        }
        functions.reverse();
        functions
    }

    /// A line a stack: its functions by semicolon, then microseconds.
    pub(super) fn folded(&self) -> String {
        let mut weights = vec![0_u64; self.stacks.len()];
        self.samples.iter().for_each(|(stack, weight)| weights[*stack] += weight);
        let mut lines = String::new();
        for (stack, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
            let functions = self.functions(stack);
            let names: Vec<String> =
                functions.iter().map(|function| frame(&self.tree.functions()[*function])).collect();
            lines.push_str(&format!("{} {weight}\n", names.join(";")));
        }
        lines
    }

    /// A file of speedscope's: <https://www.speedscope.app/file-format-schema.json>.
    pub(super) fn speedscope(&self, name: &str) -> Value {
        let frames: Vec<Value> = self
            .tree
            .functions()
            .iter()
            .map(|function| {
                let mut frame = json!({ "name": function.key() });
                if let Some(file) = &function.file_path {
                    frame["file"] = json!(file);
                }
                if let Some(line) = function.line_number {
                    frame["line"] = json!(line);
                }
                frame
            })
            .collect();
        let own: Vec<&(usize, u64)> = self.samples.iter().filter(|(_, weight)| *weight > 0).collect();
        json!({
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "exporter": "loam",
            "name": name,
            "activeProfileIndex": 0,
            "shared": { "frames": frames },
            "profiles": [{
                "type": "sampled",
                "name": name,
                "unit": "microseconds",
                "startValue": 0,
                "endValue": own.iter().map(|(_, weight)| weight).sum::<u64>(),
                "samples": own.iter().map(|(stack, _)| self.functions(*stack)).collect::<Vec<_>>(),
                "weights": own.iter().map(|(_, weight)| weight).collect::<Vec<_>>(),
            }],
        })
    }
}

/// A function's name in a line whose separators it must not hold.
fn frame(function: &Function) -> String {
    function.key().replace(';', ":").replace(['\n', '\r'], " ")
}
