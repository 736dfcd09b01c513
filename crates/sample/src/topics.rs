//! Topics of conversations: templates with slots, one file per domain and language.

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
    /// Language code, as in `Accept-Language`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// A question and its answer.
pub(crate) type Exchange = (String, String);

/// A kind of conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    /// Domain of the project: see `catalog.rs`.
    pub(crate) domain: String,
    pub(crate) language: Language,
    /// System prompt.
    pub(crate) system: String,
    /// Possible values of each slot; `#` becomes a digit.
    pub(crate) slots: BTreeMap<String, Vec<String>>,
    pub(crate) titles: Vec<String>,
    pub(crate) openings: Vec<Exchange>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) closings: Vec<Exchange>,
    /// Optional additions to an answer.
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

/// A random element.
pub(crate) fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> &'a T {
    &items[rng.usize(..items.len())]
}

/// The values of the slots, constant within a conversation.
pub(crate) struct SlotValues(Vec<(&'static str, String)>);

impl SlotValues {
    pub(crate) fn new(topic: &'static Topic, rng: &mut Rng) -> Self {
        let slots = topic.slots.iter().map(|(name, values)| {
            let value = digits(pick(rng, values).as_str(), rng);
            (name.as_str(), value)
        });
        Self(slots.collect())
    }

    /// Fills the slots of a template. Braces that do not belong to a slot are kept.
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

    /// Fills a template of a tool's arguments or result, with fresh random digits.
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
        let dialogue =
            exchanges.chain([&topic.tool.exchange]).flat_map(|(question, answer)| [question, answer]);
        let tool = [&topic.tool.arguments, &topic.tool.result];
        dialogue.chain(&topic.titles).chain(&topic.details).chain(tool).chain([&topic.system]).collect()
    }

    #[test]
    fn every_slot_is_filled_and_tool_data_is_json() {
        for topic in all() {
            for seed in 0..20 {
                let mut rng = Rng::with_seed(seed);
                let slots = SlotValues::new(topic, &mut rng);
                for template in texts(topic) {
                    let text = slots.fill(template);
                    let unfilled = topic.slots.keys().find(|slot| text.contains(&format!("{{{slot}}}")));
                    assert!(unfilled.is_none() && !text.trim().is_empty(), "{text}");
                }
                for template in [&topic.tool.arguments, &topic.tool.result] {
                    let text = slots.fill_data(template, &mut rng);
                    serde_json::from_str::<serde_json::Value>(&text).expect(&text);
                }
            }
        }
    }

    #[test]
    fn templates_only_use_slots_of_their_topic() {
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
    fn every_domain_has_both_languages() {
        let domains = |language| -> Vec<&str> {
            all().iter().filter(|t| t.language == language).map(|t| t.domain.as_str()).collect()
        };
        assert_eq!(domains(Language::Zh), domains(Language::En));
    }
}
