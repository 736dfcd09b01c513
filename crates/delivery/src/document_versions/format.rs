//! The stored bytes of a version.

use loam_kernel::Result;
use loam_platform::pack::{pack, unpack};
use loam_platform::stored_format::StoredFormat;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The content of a version: its fields by the names that the API has for them, as JSON in a packed body. A field that a
/// later server adds has a default.
pub(crate) const DOCUMENT_VERSION: StoredFormat = StoredFormat::new("document_version", 1);

/// Encodes a content.
pub(crate) fn encode(content: &impl Serialize) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(content).map_err(loam_kernel::Error::internal)?;
    let mut bytes = DOCUMENT_VERSION.begin(json.len() / 2);
    bytes.extend(pack(&[json], false, usize::MAX));
    Ok(bytes)
}

/// Decodes a content.
pub(crate) fn decode<C: DeserializeOwned>(bytes: &[u8]) -> Result<C> {
    let (_, packed) = DOCUMENT_VERSION.open(bytes)?;
    let unpacked = unpack(packed)?.ok_or_else(|| DOCUMENT_VERSION.damaged())?;
    serde_json::from_slice(&unpacked.body).map_err(|_| DOCUMENT_VERSION.damaged())
}

#[cfg(test)]
mod tests {
    use loam_testkit::check_golden;
    use serde_json::{Value, json};

    use super::*;
    use crate::api_specs::SpecContent;
    use crate::prd_docs::PrdContent;
    use crate::requirements::RequirementContent;
    use crate::tech_designs::DesignContent;

    fn contents() -> [Value; 4] {
        [
            json!({
                "title": "Orders", "raw_text": "客户要能取消订单。",
                "ai_analysis": {
                    "user_stories": ["cancel an order"],
                    "features": { "must": ["cancel"], "should": [], "could": [], "wont": [] },
                    "non_functional": ["within 200 ms"],
                    "acceptance_criteria": [{
                        "id": "AC-1", "feature": null, "state": "it is open", "trigger": "it is cancelled",
                        "unwanted_condition": null, "system": "the shop", "response": "refund it"
                    }],
                    "open_questions": []
                },
                "confidence_score": 0.75,
                "manual_edits": { "edited_at": "2026-12-01T00:00:00Z", "changes": [] }
            }),
            json!({ "title": null, "markdown_content": "# Orders\n" }),
            json!({
                "title": "Shop",
                "architecture": { "type": "monolith", "components": [{ "name": "shop", "technology": "Rust" }] },
                "plantuml_code": "@startuml\n@enduml\n",
                "decision_log": [{
                    "timestamp": "2026-12-01T00:00:00Z", "option": "SQLite", "alternatives": [],
                    "rationale": "small"
                }],
                "risk_assessment": {
                    "performance": 3.5, "security": null, "maintainability": 7.0,
                    "reasons": { "performance": "one writer", "security": null, "maintainability": null }
                }
            }),
            json!({ "title": "Shop", "openapi_spec": { "openapi": "3.1.0", "info": {}, "paths": {} } }),
        ]
    }

    #[test]
    fn all_versions_are_read() {
        let packed = encode(&contents()).expect("encoded");
        check_golden(DOCUMENT_VERSION.kind(), DOCUMENT_VERSION.versions(), &packed, |packed| {
            let values: [Value; 4] = decode(packed).expect("readable");
            let [requirement, prd, design, spec] = values.each_ref();
            // each is what the current server has for it
            read::<RequirementContent>(requirement);
            read::<PrdContent>(prd);
            read::<DesignContent>(design);
            read::<SpecContent>(spec);
            serde_json::to_string_pretty(&values).expect("JSON")
        });
    }

    /// What an earlier server stored is read, and none of it is lost.
    fn read<C: Serialize + DeserializeOwned>(stored: &Value) {
        let content: C = serde_json::from_value(stored.clone()).expect("read");
        let again = serde_json::to_value(content).expect("JSON");
        for (name, value) in stored.as_object().expect("an object") {
            assert_eq!(&again[name], value, "{name}");
        }
    }

    #[test]
    fn a_long_content_is_compressed_and_an_unknown_version_refused() {
        let long = json!({ "markdown_content": "a sentence of a requirement. ".repeat(10_000) });
        let bytes = encode(&long).expect("encoded");
        assert!(bytes.len() < 10_000, "{}", bytes.len());
        assert_eq!(decode::<Value>(&bytes).expect("readable"), long);
        assert!(decode::<Value>(&[2, 0]).is_err() && decode::<Value>(&[1, 0, b'{']).is_err());
    }
}
