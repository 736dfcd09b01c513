//! Who talks: the users, more of them from month to month, and what some of them prefer.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loam_kernel::UserId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ids::Ids;
use crate::times::Times;
use crate::topics::{Language, pick};

/// Conversations for each user, about.
const SESSIONS_EACH: u64 = 20;
const FEWEST: u64 = 8;
const MOST: u64 = 20_000;

const ZH_FAMILY: [(&str, &str); 20] = [
    ("王", "wang"),
    ("李", "li"),
    ("张", "zhang"),
    ("刘", "liu"),
    ("陈", "chen"),
    ("杨", "yang"),
    ("黄", "huang"),
    ("赵", "zhao"),
    ("吴", "wu"),
    ("周", "zhou"),
    ("徐", "xu"),
    ("孙", "sun"),
    ("马", "ma"),
    ("朱", "zhu"),
    ("胡", "hu"),
    ("郭", "guo"),
    ("何", "he"),
    ("林", "lin"),
    ("高", "gao"),
    ("罗", "luo"),
];
const ZH_GIVEN: [(&str, &str); 20] = [
    ("伟", "wei"),
    ("芳", "fang"),
    ("娜", "na"),
    ("敏", "min"),
    ("静", "jing"),
    ("强", "qiang"),
    ("磊", "lei"),
    ("洋", "yang"),
    ("艳", "yan"),
    ("勇", "yong"),
    ("晓明", "xiaoming"),
    ("雨桐", "yutong"),
    ("子涵", "zihan"),
    ("浩然", "haoran"),
    ("思远", "siyuan"),
    ("佳怡", "jiayi"),
    ("欣妍", "xinyan"),
    ("宇航", "yuhang"),
    ("嘉豪", "jiahao"),
    ("婉清", "wanqing"),
];
const EN_GIVEN: [&str; 24] = [
    "Alice", "Ben", "Chloe", "Daniel", "Emma", "Finn", "Grace", "Hannah", "Isaac", "Julia", "Kofi", "Laura",
    "Maya", "Noah", "Olivia", "Priya", "Quentin", "Rosa", "Sam", "Tara", "Umar", "Vera", "Will", "Yara",
];
const EN_FAMILY: [&str; 24] = [
    "Adams", "Baker", "Clarke", "Diaz", "Evans", "Fischer", "Garcia", "Hughes", "Ito", "Jensen", "Khan",
    "Lopez", "Moore", "Novak", "Okafor", "Patel", "Quinn", "Rossi", "Silva", "Taylor", "Usman", "Varga",
    "Walker", "Young",
];

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) language: Language,
    pub(crate) username: String,
    pub(crate) full_name: String,
    pub(crate) created_at: DateTime<Utc>,
    /// Key and value of what they have set.
    pub(crate) preferences: Vec<(Uuid, &'static str, Value)>,
}

/// The users of so many conversations, in the order in which they came.
pub(crate) fn people(sessions: u64, times: &Times, ids: &mut Ids, rng: &mut Rng) -> Vec<Person> {
    let all = (sessions / SESSIONS_EACH).clamp(FEWEST, MOST);
    (0..all)
        .map(|number| person(number, times.of(number * sessions / all, sessions, rng), ids, rng))
        .collect()
}

/// Who begins conversation `number` of `all`: one who was there by then, some far more often than others.
pub(crate) fn speaker<'a>(people: &'a [Person], number: u64, all: u64, rng: &mut Rng) -> &'a Person {
    let there = (people.len() as u64 * number / all.max(1)).max(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below the number of users"
    )]
    let index = (there as f64 * rng.f64().powf(1.7)) as usize;
    &people[index.min(people.len() - 1)]
}

fn person(number: u64, first: DateTime<Utc>, ids: &mut Ids, rng: &mut Rng) -> Person {
    // they sign up, then talk
    let created_at = first - TimeDelta::seconds(rng.i64(60..900));
    let language = if rng.f64() < 0.6 { Language::Zh } else { Language::En };
    let (full_name, name) = match language {
        Language::Zh => {
            let ((family, spelt), (given, sounds)) = (pick(rng, &ZH_FAMILY), pick(rng, &ZH_GIVEN));
            (format!("{family}{given}"), format!("{sounds}.{spelt}"))
        }
        Language::En => {
            let (given, family) = (pick(rng, &EN_GIVEN), pick(rng, &EN_FAMILY));
            (format!("{given} {family}"), format!("{given}.{family}").to_lowercase())
        }
    };
    let mut preferences = Vec::new();
    let mut prefer = |key, value| preferences.push((ids.at(created_at), key, value));
    if rng.f64() < 0.35 {
        prefer("notification_prefs", json!({ "email": rng.bool(), "push": rng.bool() }));
    }
    if rng.f64() < 0.3 {
        let threshold = f64::from(rng.u8(50..=95)) / 100.0;
        let language = if language == Language::Zh { "zh-CN" } else { "en" };
        prefer("ai_settings", json!({ "confidence_threshold": threshold, "language": language }));
    }
    if rng.f64() < 0.4 {
        prefer("theme", json!(pick(rng, &["dark", "light", "system"])));
    }
    Person {
        id: ids.at(created_at),
        language,
        username: format!("{name}.{number:04}"),
        full_name,
        created_at,
        preferences,
    }
}
