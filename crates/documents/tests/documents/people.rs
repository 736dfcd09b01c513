//! People and a model that edit at random. Every line and value that they write has a mark of its own, such
//! as `⟦17⟧`, so that it can be followed; one that they write in another's place names its mark: `⟦18⟧ was
//! <17>`.

use std::collections::BTreeMap;

use fastrand::Rng;
use loam_documents::Document;
use serde_json::{Map, Value, json};

pub struct People {
    pub random: Rng,
    marks: usize,
}

impl People {
    pub fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), marks: 0 }
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("⟦{}⟧", self.marks)
    }

    fn words(&mut self) -> String {
        let words = ["plain words", "中文的一段话。", "🎯 emoji 👩‍👩‍👧", "| a | b |", "- an item", "> quoted"];
        format!("{} {}", words[self.random.usize(..words.len())], self.mark())
    }

    fn other(&mut self, line: &str) -> String {
        let was = marks(line).into_keys().next().unwrap_or_default();
        format!("{} {} was <{was}>", ["anders", "另一句", "else"][self.random.usize(..3)], self.mark())
    }

    /// A first Markdown text.
    pub fn markdown(&mut self) -> String {
        let mut text = String::new();
        if self.random.bool() {
            text.push_str(&format!("---\nnote: {}\n---\n", self.mark()));
        }
        text.push_str(&format!("# Title {}\n\n", self.mark()));
        for _ in 0..self.random.usize(2..7) {
            text.push_str(&self.section());
        }
        match self.random.bool() {
            true => text.trim_end().to_owned(),
            false => text,
        }
    }

    fn section(&mut self) -> String {
        let heading = match self.random.usize(..6) {
            0 => format!("Underlined {}\n---\n\n", self.mark()),
            1 => format!("### 小节 {}\n\n", self.mark()),
            _ => format!("## Section {}\n\n", self.mark()),
        };
        let mut text = heading;
        for _ in 0..self.random.usize(0..6) {
            text.push_str(&self.words());
            text.push_str(["\n", "\n\n"][self.random.usize(..2)]);
        }
        if self.random.usize(..4) == 0 {
            text.push_str(&format!("\n```\n# no heading {}\n```\n", self.mark()));
        }
        if !text.ends_with("\n\n") {
            text.push('\n');
        }
        text
    }

    /// Some edits of a Markdown text.
    pub fn edit_markdown(&mut self, document: &Document) -> String {
        let mut sections: Vec<String> = document
            .sections()
            .iter()
            .map(|section| document.text()[section.range.clone()].to_owned())
            .collect();
        if sections.is_empty() {
            sections.push(self.section());
        }
        for _ in 0..self.random.usize(1..4) {
            // What precedes the first heading stays there.
            let headed = |id: &str| id != "front-matter" && id != "preamble";
            let first = document.sections().iter().take_while(|section| !headed(section.id.as_str())).count();
            let at = self.random.usize(first.max(1).min(sections.len())..=sections.len());
            match self.random.usize(..12) {
                0 => sections.insert(at, self.section()),
                1 if sections.len() > 2 => {
                    sections.remove(at.min(sections.len() - 1));
                }
                2 if sections.len() > 2 => {
                    let section = sections.remove(at.min(sections.len() - 1));
                    sections.insert(self.random.usize(first.max(1)..=sections.len()), section);
                }
                _ => {
                    let place = self.random.usize(first.min(sections.len() - 1)..sections.len());
                    sections[place] = self.edit_section(&sections[place].clone());
                }
            }
            let last = sections.len() - 1;
            for section in &mut sections[..last] {
                while !section.ends_with("\n\n") {
                    section.push('\n');
                }
            }
        }
        sections.concat()
    }

    /// One edit of a section: a line is inserted, replaced or removed, or the heading renamed.
    pub fn edit_section(&mut self, text: &str) -> String {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let end = |line: &str| if line.ends_with('\n') { "\n" } else { "" };
        // Not the heading nor what marks it, and no fence.
        let body: Vec<usize> = (2..lines.len()).filter(|at| lines[*at].contains('⟦')).collect();
        match (self.random.usize(..10), body.get(self.random.usize(..body.len().max(1)))) {
            (0, _) if lines[0].starts_with('#') => {
                let hashes = lines[0].chars().take_while(|char| *char == '#').count();
                lines[0] = format!("{} Renamed {}{}", "#".repeat(hashes), self.mark(), end(&lines[0]));
            }
            (1..4, Some(at)) => {
                lines.remove(*at);
            }
            (4..7, Some(at)) => {
                lines[*at] = format!("{}{}", self.other(&lines[*at].clone()), end(&lines[*at]))
            }
            (7..9, Some(at)) => lines.insert(*at, format!("{}\n", self.words())),
            _ => {
                if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                    last.push('\n');
                }
                lines.push(format!("\n{}\n\n", self.words()));
            }
        }
        lines.concat()
    }

    /// A first JSON value.
    pub fn json(&mut self) -> Value {
        let mut paths = Map::new();
        for path in 0..self.random.usize(1..4) {
            paths.insert(format!("/p{path}"), json!({"get": self.operation(), "put": self.operation()}));
        }
        let components: Vec<Value> =
            (0..self.random.usize(1..4)).map(|n| self.component(&format!("c{n}"))).collect();
        json!({
            "openapi": "3.1.0",
            "info": {"title": self.mark(), "version": self.mark()},
            "paths": paths,
            "architecture": {"type": self.mark(), "components": components},
        })
    }

    fn operation(&mut self) -> Value {
        let responses = json!({"200": {"description": self.mark()}});
        json!({"summary": self.words(), "tags": [self.mark()], "responses": responses})
    }

    fn component(&mut self, name: &str) -> Value {
        json!({"name": name, "note": self.words(), "计划": {"n": self.mark(), "m": self.mark()}})
    }

    /// Some edits of a JSON value, which stays in its order.
    pub fn edit_json(&mut self, value: &mut Value) {
        for _ in 0..self.random.usize(1..4) {
            let number = self.random.usize(..6);
            match self.random.usize(..12) {
                0 => {
                    let operation = self.operation();
                    let paths = value["paths"].as_object_mut().expect("an object");
                    let path = paths.entry(format!("/p{number}")).or_insert_with(|| json!({}));
                    path[["post", "get"][number % 2]] = operation;
                }
                1 => {
                    let paths = value["paths"].as_object_mut().expect("an object");
                    paths.shift_remove(&format!("/p{number}"));
                }
                2 => {
                    if let Some(path) =
                        value["paths"].get_mut(format!("/p{number}")).and_then(Value::as_object_mut)
                    {
                        path.shift_remove("put");
                    }
                }
                3 => {
                    let components = value["architecture"]["components"].as_array_mut().expect("an array");
                    let name = format!("c{number}");
                    if components.iter().all(|component| component["name"] != name.as_str()) {
                        let component = self.component(&name);
                        components.insert(self.random.usize(..=components.len()), component);
                    }
                }
                4 => {
                    let components = value["architecture"]["components"].as_array_mut().expect("an array");
                    if number < components.len() {
                        let component = components.remove(number);
                        if self.random.bool() {
                            components.push(component);
                        }
                    }
                }
                _ => self.edit_value(value),
            }
        }
    }

    /// Another text in the place of one, wherever it is.
    pub fn edit_value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains('⟦') => *text = self.other(&text.clone()),
            Value::Object(members) if !members.is_empty() => {
                let at = self.random.usize(..members.len());
                match members.iter_mut().nth(at) {
                    Some((_, value)) => self.edit_value(value),
                    None => unreachable!("there are so many"),
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let at = self.random.usize(..items.len());
                self.edit_value(&mut items[at]);
            }
            _ => {}
        }
    }
}

/// The marks of a text, each with how often it occurs.
pub fn marks(text: &str) -> BTreeMap<String, usize> {
    let mut marks = BTreeMap::new();
    for part in text.split('⟦').skip(1) {
        *marks.entry(part.split('⟧').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    marks
}

/// For each mark that was replaced, by which.
pub fn replaced(text: &str) -> BTreeMap<String, String> {
    let parts = text.split('⟦').skip(1).filter_map(|part| {
        let (new, rest) = part.split_once("⟧ was <")?;
        Some((rest.split('>').next()?.to_owned(), new.to_owned()))
    });
    parts.collect()
}
