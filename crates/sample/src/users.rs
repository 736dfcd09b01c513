//! Generates users, growing from month to month, and the preferences of some of them.

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use loam_kernel::UserId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ids::Ids;
use crate::schedule::Schedule;
use crate::topics::{Language, pick};

/// Average number of conversations per user.
const SESSIONS_PER_USER: u64 = 20;
const MIN_USERS: u64 = 8;
const MAX_USERS: u64 = 20_000;

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
    /// ID, key and value of the preferences that they have set.
    pub(crate) preferences: Vec<(Uuid, &'static str, Value)>,
}

/// Generates the users for a number of conversations, in order of creation.
pub(crate) fn generate(sessions: u64, schedule: &Schedule, ids: &mut Ids, rng: &mut Rng) -> Vec<Person> {
    let count = (sessions / SESSIONS_PER_USER).clamp(MIN_USERS, MAX_USERS);
    (0..count)
        .map(|number| person(number, schedule.of(number * sessions / count, sessions, rng), ids, rng))
        .collect()
}

/// The user of conversation `number` of `all`: one who exists by then; some are far more active than others.
pub(crate) fn pick_user<'a>(people: &'a [Person], number: u64, all: u64, rng: &mut Rng) -> &'a Person {
    let existing = (people.len() as u64 * number / all.max(1)).max(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below the number of users"
    )]
    let index = (existing as f64 * rng.f64().powf(1.7)) as usize;
    &people[index.min(people.len() - 1)]
}

fn person(number: u64, first: DateTime<Utc>, ids: &mut Ids, rng: &mut Rng) -> Person {
    // the account is created before the first conversation
    let created_at = first - TimeDelta::seconds(rng.i64(60..900));
    let language = if rng.f64() < 0.6 { Language::Zh } else { Language::En };
    let (full_name, name) = match language {
        Language::Zh => {
            let ((family, family_latin), (given, given_latin)) =
                (pick(rng, &ZH_FAMILY), pick(rng, &ZH_GIVEN));
            (format!("{family}{given}"), format!("{given_latin}.{family_latin}"))
        }
        Language::En => {
            let (given, family) = (pick(rng, &EN_GIVEN), pick(rng, &EN_FAMILY));
            (format!("{given} {family}"), format!("{given}.{family}").to_lowercase())
        }
    };
    let mut preferences = Vec::new();
    let mut add_preference = |key, value| preferences.push((ids.at(created_at), key, value));
    if rng.f64() < 0.35 {
        add_preference("notification_prefs", json!({ "email": rng.bool(), "push": rng.bool() }));
    }
    if rng.f64() < 0.3 {
        let threshold = f64::from(rng.u8(50..=95)) / 100.0;
        let language = if language == Language::Zh { "zh-CN" } else { "en" };
        add_preference("ai_settings", json!({ "confidence_threshold": threshold, "language": language }));
    }
    if rng.f64() < 0.4 {
        add_preference("theme", json!(pick(rng, &["dark", "light", "system"])));
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
