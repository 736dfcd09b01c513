//! Exports of a record for other tools: folded stacks, and speedscope's format.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::trace::{Function, Tree};

/// Deeper calls are attributed to their ancestor at this depth, since each stack is written in full.
const MAX_DEPTH: u32 = 128;

/// The distinct call stacks of a record, with their self times.
pub(super) struct Stacks<'a> {
    tree: &'a Tree,
    /// For each stack, its parent stack and the index of its function.
    stacks: Vec<(Option<usize>, usize)>,
    /// The stack and the self time in microseconds of each call, in depth-first order.
    samples: Vec<(usize, u64)>,
}

impl<'a> Stacks<'a> {
    pub(super) fn of(tree: &'a Tree, root: usize) -> Self {
        let mut stacks = Vec::new();
        let mut indexes: HashMap<(Option<usize>, usize), usize> = HashMap::new();
        let below = tree.subtree(root);
        let mut samples: Vec<(usize, u64)> = Vec::with_capacity(below.len());
        for index in below {
            let node = &tree.nodes()[index];
            let parent = node.parent.filter(|_| index != root).map(|parent| samples[parent - root].0);
            let stack = match parent {
                Some(parent) if node.depth - tree.nodes()[root].depth >= MAX_DEPTH => parent,
                parent => *indexes.entry((parent, node.function)).or_insert_with(|| {
                    stacks.push((parent, node.function));
                    stacks.len() - 1
                }),
            };
            samples.push((stack, (node.self_ns + 500) / 1000));
        }
        Self { tree, stacks, samples }
    }

    /// The function indexes of a stack, outermost first.
    fn functions(&self, stack: usize) -> Vec<usize> {
        let mut functions = Vec::new();
        let mut next = Some(stack);
        while let Some(stack) = next {
            let (parent, function) = self.stacks[stack];
            functions.push(function);
            next = parent;
        }
        functions.reverse();
        functions
    }

    /// Folded stacks: a line per stack, with its functions separated by semicolons, then microseconds.
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

    /// A speedscope file: <https://www.speedscope.app/file-format-schema.json>.
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

/// A function name without the separators of the folded format.
fn frame(function: &Function) -> String {
    function.key().replace(';', ":").replace(['\n', '\r'], " ")
}
