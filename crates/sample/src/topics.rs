//! What is talked about: templates with slots, a file for each domain and language.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fastrand::Rng;
use serde::Deserialize;

/// The language of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Language {
    /// As its users' browsers name it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// What people ask, and what they are answered.
pub(crate) type Exchange = (String, String);

/// A kind of conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    /// The application that it is held with: see `places.rs`.
    pub(crate) domain: String,
    pub(crate) language: Language,
    /// What the model is told first.
    pub(crate) system: String,
    /// The values that a slot can have; `#` becomes a digit.
    pub(crate) slots: BTreeMap<String, Vec<String>>,
    pub(crate) titles: Vec<String>,
    pub(crate) openings: Vec<Exchange>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) closings: Vec<Exchange>,
    /// What an answer may go on with.
    pub(crate) details: Vec<String>,
    pub(crate) tool: Tool,
}

/// An exchange in which the model uses a tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) arguments: String,
    pub(crate) result: String,
    pub(crate) exchange: Exchange,
}

static TOPICS: LazyLock<Vec<Topic>> = LazyLock::new(|| {
    [
        include_str!("topics/support.zh.json"),
        include_str!("topics/support.en.json"),
        include_str!("topics/shop.zh.json"),
        include_str!("topics/shop.en.json"),
        include_str!("topics/code.zh.json"),
        include_str!("topics/code.en.json"),
        include_str!("topics/travel.zh.json"),
        include_str!("topics/travel.en.json"),
        include_str!("topics/study.zh.json"),
        include_str!("topics/study.en.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the templates are built in: a test reads them"))
    .into()
});

/// Every topic.
pub(crate) fn all() -> &'static [Topic] {
    &TOPICS
}

/// One of some.
pub(crate) fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len())]
}

/// The values of a conversation's slots: the same from its first message to its last.
pub(crate) struct Filling(Vec<(&'static str, String)>);

impl Filling {
    pub(crate) fn new(topic: &'static Topic, rng: &mut Rng) -> Self {
        let slots = topic.slots.iter().map(|(name, values)| {
            let value = digits(pick(rng, values).as_str(), rng);
            (name.as_str(), value)
        });
        Self(slots.collect())
    }

    /// The template with its slots filled. A brace that belongs to no slot stays.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('{') {
            text.push_str(before);
            let value = behind.split_once('}').and_then(|(name, after)| {
                let (_, value) = self.0.iter().find(|(slot, _)| *slot == name)?;
                Some((value, after))
            });
            if let Some((value, after)) = value {
                text.push_str(value);
                rest = after;
            } else {
                text.push('{');
                rest = behind;
            }
        }
        text.push_str(rest);
        text
    }

    /// The same of what a tool is told or says, which has digits of its own.
    pub(crate) fn fill_data(&self, template: &str, rng: &mut Rng) -> String {
        digits(&self.fill(template), rng)
    }
}

fn digits(template: &str, rng: &mut Rng) -> String {
    template.chars().map(|c| if c == '#' { rng.digit(10) } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(topic: &Topic) -> Vec<&String> {
        let exchanges = [&topic.openings, &topic.exchanges, &topic.closings].into_iter().flatten();
        let spoken =
            exchanges.chain([&topic.tool.exchange]).flat_map(|(question, answer)| [question, answer]);
        let tool = [&topic.tool.arguments, &topic.tool.result];
        spoken.chain(&topic.titles).chain(&topic.details).chain(tool).chain([&topic.system]).collect()
    }

    #[test]
    fn every_slot_is_filled_and_every_tool_speaks_json() {
        for topic in all() {
            for seed in 0..20 {
                let mut rng = Rng::with_seed(seed);
                let filling = Filling::new(topic, &mut rng);
                for template in texts(topic) {
                    let text = filling.fill(template);
                    let left = topic.slots.keys().find(|slot| text.contains(&format!("{{{slot}}}")));
                    assert!(left.is_none() && !text.trim().is_empty(), "{text}");
                }
                for template in [&topic.tool.arguments, &topic.tool.result] {
                    let text = filling.fill_data(template, &mut rng);
                    serde_json::from_str::<serde_json::Value>(&text).expect(&text);
                }
            }
        }
    }

    #[test]
    fn no_template_names_a_slot_that_its_topic_does_not_have() {
        for topic in all() {
            for template in texts(topic).into_iter().filter(|text| !text.starts_with('{')) {
                for part in template.split('{').skip(1) {
                    let name = part.split('}').next().unwrap_or_default();
                    let is_a_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase());
                    assert!(!is_a_name || topic.slots.contains_key(name), "{{{name}}} in {template}");
                }
            }
        }
    }

    #[test]
    fn both_languages_have_every_domain() {
        let of = |language| -> Vec<&str> {
            all().iter().filter(|t| t.language == language).map(|t| t.domain.as_str()).collect()
        };
        assert_eq!(of(Language::Zh), of(Language::En));
    }
}
