use serde_json::json;

use super::*;

fn refused(name: &str, config: Value) -> (Option<String>, String) {
    let error = kind(name).expect("built in").check(config).expect_err("refused");
    (error.param().map(str::to_owned), error.message().to_owned())
}

#[test]
fn a_validation_error_names_its_path() {
    let checked = kind("openai").expect("built in").check(json!({"api_key": "sk-1"})).expect("valid");
    assert_eq!(checked["base_url"], "https://api.openai.com/v1");
    let cases = [
        (json!({"models": ["a", 7]}), "config.models.1", "must be of type string"),
        (json!({"api_key": 5}), "config.api_key", "must be of type string"),
        (json!({"api_key": ""}), "config.api_key", "must have 1 or more characters"),
        (json!({"api_keys": ["a", "b c"]}), "config.api_keys.1", "must match ^[!-~]+$"),
        (json!({"api_keys": vec!["a"; 21]}), "config.api_keys", "must have 20 or fewer items"),
        (json!({"base_url": "not a url"}), "config.base_url", "must be a valid uri"),
        (json!({"idle_timeout": 0}), "config.idle_timeout", "must be 1 or more"),
        (json!({"idle_timeout": 3601}), "config.idle_timeout", "must be 3600 or less"),
        (json!({"colour": "red"}), "config.colour", "is unknown: see the kind's `config_schema`"),
        (json!([]), "config", "must be of type object"),
    ];
    for (config, path, message) in cases {
        assert_eq!(refused("openai", config), (Some(path.to_owned()), message.to_owned()));
    }
    let thinking = refused("anthropic", json!({"thinking": "deep"}));
    assert_eq!(thinking.0.as_deref(), Some("config.thinking"));
    assert!(thinking.1.starts_with("must be one of"), "{}", thinking.1);
}

#[test]
fn a_refused_secret_is_not_repeated() {
    let config = json!({"api_key": "sk with spaces", "api_keys": ["sk with spaces"]});
    for name in ["openai", "anthropic", "ollama"] {
        let (_, message) = refused(name, config.clone());
        assert!(!message.contains("sk with"), "{message}");
    }
}

#[test]
fn required_properties_and_defaults_are_as_designed() {
    let missing = |name, config| refused(name, config).0.unwrap_or_default();
    for name in ["qwen", "dify"] {
        assert_eq!(missing(name, json!({"base_url": "https://example.org"})), "config.api_key");
        assert_eq!(missing(name, json!({"api_key": "k"})), "config.base_url");
    }
    assert_eq!(missing("deepseek", json!({})), "config.api_key");
    let base = |name: &str, config| {
        kind(name).expect("built in").check(config).expect("valid")["base_url"].as_str().map(str::to_owned)
    };
    assert_eq!(base("anthropic", json!({})).as_deref(), Some("https://api.anthropic.com"));
    assert_eq!(base("deepseek", json!({"api_key": "k"})).as_deref(), Some("https://api.deepseek.com"));
    assert_eq!(base("ollama", json!({})).as_deref(), Some("http://127.0.0.1:11434/v1"));
}

#[test]
fn every_kind_has_names_secrets_and_a_valid_configuration() {
    let names: Vec<_> = KINDS.iter().map(|kind| (kind.name, kind.display_name)).collect();
    assert_eq!(
        names,
        [
            ("openai", "OpenAI"),
            ("anthropic", "Anthropic"),
            ("qwen", "Qwen"),
            ("deepseek", "DeepSeek"),
            ("ollama", "Ollama"),
            ("dify", "Dify"),
        ]
    );
    for kind in &KINDS {
        assert_eq!((kind.secrets(), kind.secret_lists()), (vec!["api_key"], vec!["api_keys"]));
        assert_eq!(kind.wire.kind(), kind.name);
        let config =
            kind.check(json!({"api_key": "k", "api_keys": ["l"], "base_url": "https://example.org"}));
        let config: Config = serde_json::from_value(config.expect("valid")).expect("a configuration");
        assert_eq!(config.api_keys.len(), 1);
    }
}
