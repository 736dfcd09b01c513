//! The secrets in a provider's configuration: sealed in the database, masked in responses.

use loam_kernel::{AiProviderId, Clock, Error, Result, merge_patch};
use loam_platform::origin;
use loam_platform::seal::{Keyring, SealedRows, Visit, masked, visit_json};
use loam_providers::KindInfo;
use serde_json::{Map, Value, json};

use super::entity::{Column, Entity, Model};

/// The location of a secret, which its sealing is bound to.
fn seal_context(id: AiProviderId, name: &str) -> String {
    format!("ai_providers/{id}/config.{name}")
}

/// Replaces each secret of a configuration, given its path.
fn each(
    kind: &KindInfo,
    config: &mut Value,
    mut change: impl FnMut(&str, &Value) -> Result<Value>,
) -> Result<()> {
    for name in kind.secrets() {
        if let Some(value) = config.get_mut(name) {
            *value = change(name, value)?;
        }
    }
    for name in kind.secret_lists() {
        let items = config.get_mut(name).and_then(Value::as_array_mut);
        for (i, value) in items.into_iter().flatten().enumerate() {
            *value = change(&format!("{name}.{i}"), value)?;
        }
    }
    Ok(())
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Config];

    /// Visits what the configuration holds rather than what the kind declares: a kind may have lost a secret since.
    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        let id = row.id;
        for (name, value) in row.config.as_object_mut().into_iter().flatten() {
            match value {
                Value::Array(items) => {
                    for (i, item) in items.iter_mut().enumerate() {
                        visit_json(&seal_context(id, &format!("{name}.{i}")), item, visit)?;
                    }
                }
                value => visit_json(&seal_context(id, name), value, visit)?,
            }
        }
        Ok(())
    }
}

/// Seals a configuration that has been checked.
pub(super) fn seal(
    keyring: &Keyring,
    clock: &Clock,
    kind: &KindInfo,
    id: AiProviderId,
    mut config: Value,
) -> Result<Value> {
    each(kind, &mut config, |name, value| {
        keyring.seal_json(clock, &seal_context(id, name), value.as_str().unwrap_or_default())
    })?;
    Ok(config)
}

/// Unseals a stored configuration.
pub(super) fn open(
    keyring: &Keyring,
    kind: &KindInfo,
    id: AiProviderId,
    stored: &Value,
) -> Result<Map<String, Value>> {
    let mut config = stored.clone();
    each(kind, &mut config, |name, value| {
        Ok(json!(keyring.open_json(&seal_context(id, name), value)?.as_str()))
    })?;
    match config {
        Value::Object(config) => Ok(config),
        _ => Ok(Map::new()),
    }
}

/// A stored configuration with its secrets masked.
pub(super) fn mask(kind: &KindInfo, stored: &Value) -> Value {
    let mut config = stored.clone();
    // masking can't fail
    _ = each(kind, &mut config, |_, value| Ok(masked(value)));
    config
}

/// Applies a change to an unsealed configuration: null removes a field, a masked secret stays.
pub(super) fn merge(
    kind: &KindInfo,
    mut config: Map<String, Value>,
    change: Map<String, Value>,
) -> Result<Map<String, Value>> {
    for (name, value) in change {
        match value {
            Value::Null => drop(config.remove(&name)),
            value if kind.secrets().contains(&name.as_str()) && value["sealed"] == true => {}
            Value::Array(items) if kind.secret_lists().contains(&name.as_str()) => {
                let old = config.get(&name).and_then(Value::as_array).cloned().unwrap_or_default();
                let items = resolve_items(&name, old, items)?;
                config.insert(name, items.into());
            }
            value => {
                let merged = merge_patch(config.get(&name).unwrap_or(&Value::Null), &value);
                config.insert(name, merged);
            }
        }
    }
    Ok(config)
}

/// Rejects a change that would send stored secrets to another server than they were given for.
pub(super) fn check_origin(
    kind: &KindInfo,
    before: &Value,
    change: &Map<String, Value>,
    now: &Value,
) -> Result<()> {
    let (was_at, is_at) = (before["base_url"].as_str(), now["base_url"].as_str());
    let check = |field: String| origin::check_same_origin(field, was_at, is_at);
    for name in kind.secrets() {
        let stays = change.get(name).is_none_or(|value| value["sealed"] == true);
        if stays && before.get(name).is_some() {
            check(format!("config.{name}"))?;
        }
    }
    for name in kind.secret_lists() {
        match change.get(name) {
            None if before[name].as_array().is_some_and(|items| !items.is_empty()) => {
                check(format!("config.{name}"))?;
            }
            Some(Value::Array(items)) => {
                if let Some(i) = items.iter().position(|item| item["sealed"] == true) {
                    check(format!("config.{name}.{i}"))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Resolves the new items of a list, in which `{"sealed": true, "last4": …}` stands for the stored item with these
/// last characters.
fn resolve_items(name: &str, mut old: Vec<Value>, items: Vec<Value>) -> Result<Vec<Value>> {
    let mut stored = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        if item["sealed"] != true {
            stored.push(item);
            continue;
        }
        let has_last4 = |secret: &Value| {
            let last4 = secret.as_str().and_then(loam_platform::seal::last4);
            item["last4"].as_str() == last4.as_deref()
        };
        match old.iter().position(has_last4) {
            Some(index) => stored.push(old.remove(index)),
            None => {
                let message = "no stored secret has this `last4`; send the secret itself";
                return Err(Error::invalid(format!("config.{name}.{i}"), message));
            }
        }
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_secrets_can_be_changed_by_last4() {
        let kind = loam_providers::kind("openai").expect("built in");
        let config = json!({"api_keys": ["sk-aaaaaaaaaaaa1111", "sk-bbbbbbbbbbbb2222"]});
        let Value::Object(config) = config else { unreachable!("an object") };
        let change = |items: Value| {
            let Value::Object(change) = json!({ "api_keys": items }) else { unreachable!("an object") };
            merge(kind, config.clone(), change)
        };
        let merged =
            change(json!([{"sealed": true, "last4": "2222"}, "sk-cccccccccccc3333"])).expect("valid");
        assert_eq!(merged["api_keys"], json!(["sk-bbbbbbbbbbbb2222", "sk-cccccccccccc3333"]));
        let error = change(json!([{"sealed": true, "last4": "9999"}])).expect_err("there is none");
        assert_eq!(error.param(), Some("config.api_keys.0"));
    }

    #[test]
    fn secrets_must_be_sent_again_for_another_server() {
        let kind = loam_providers::kind("openai").expect("built in");
        let sealed = json!({"sealed": "v1.x.y", "last4": "1111"});
        let before = json!({"base_url": "https://a.example/v1", "api_key": sealed, "api_keys": [sealed]});
        let check = |url: &str, change: Value| {
            let Value::Object(change) = change else { unreachable!("an object") };
            let refused = check_origin(kind, &before, &change, &json!({"base_url": url})).err();
            refused.and_then(|error| error.param().map(str::to_owned))
        };
        let stored = json!({"sealed": true, "last4": "1111"});
        let there = "https://b.example/v1";
        assert_eq!(check("https://a.example/v2", json!({})), None);
        assert_eq!(check(there, json!({})).as_deref(), Some("config.api_key"));
        assert_eq!(
            check(there, json!({"api_key": stored, "api_keys": null})).as_deref(),
            Some("config.api_key")
        );
        assert_eq!(check(there, json!({"api_key": "new"})).as_deref(), Some("config.api_keys"));
        let mixed = json!({"api_key": "new", "api_keys": ["new", stored]});
        assert_eq!(check(there, mixed).as_deref(), Some("config.api_keys.1"));
        assert_eq!(check(there, json!({"api_key": "new", "api_keys": ["new"]})), None);
        assert_eq!(check(there, json!({"api_key": null, "api_keys": []})), None);
    }
}
