//! Which names say that their value is a secret: the one list for every recorder.

/// What is in a name wherever it stands, with separators left out: these words mean nothing else.
const PARTS: [&str; 24] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "authorization",
    "credential",
    "cookie",
    "signature",
    "csrf",
    "xsrf",
    "apikey",
    "authkey",
    "accesskey",
    "privatekey",
    "projectkey",
    "ingestkey",
    "masterkey",
    "signingkey",
    "encryptionkey",
    "subscriptionkey",
    "functionskey",
    "sessid",
    "jsessionid",
];

/// Words that mean a secret when they stand alone in a name.
const WORDS: [&str; 10] = ["auth", "pwd", "pass", "jwt", "otp", "totp", "pin", "sig", "sid", "bearer"];

/// Words that mean a secret when a header or a parameter ends so: what a field of a document may call a key is mostly none.
const LAST_OF_PARAMETERS: [&str; 3] = ["key", "keys", "session"];

/// Headers and parameters that end so and are no secrets.
const PLAIN_PARAMETERS: [&str; 8] = [
    "idempotency_key",
    "primary_key",
    "public_key",
    "cache_key",
    "sort_key",
    "partition_key",
    "routing_key",
    "sec_websocket_key",
];

/// Words that make a name with `token` in it one of how many there are, or of what kind.
const COUNTING: [&str; 27] = [
    "audio",
    "average",
    "avg",
    "budget",
    "cached",
    "completion",
    "cost",
    "count",
    "creation",
    "details",
    "estimated",
    "input",
    "length",
    "limit",
    "max",
    "min",
    "output",
    "per",
    "price",
    "prompt",
    "reasoning",
    "remaining",
    "reset",
    "total",
    "type",
    "usage",
    "used",
];

/// Words in front of `tokens` that make them credentials.
const CREDENTIALS: [&str; 8] = ["access", "api", "auth", "bearer", "device", "id", "refresh", "session"];

/// Names of nearly every request, which need no search.
const COMMON: [&str; 7] =
    ["host", "accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent"];

/// How conversations are named, which are no log-ins.
const LOAM_SESSIONS: [&str; 3] = ["session_id", "session.id", "x-loam-session-id"];

/// Whether a field of this name holds a secret. Numbers of tokens (`max_tokens`) and ids of sessions (`session.id`) are none.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    if COMMON.contains(&name) {
        return false;
    }
    let name = in_words(name);
    has_secret(&name)
}

/// Whether a header or a query parameter of this name holds a secret. Here a `key` is one to something, and an id of a
/// session stands for whoever it was given to, unless it is a session of Loam's.
#[must_use]
pub fn is_secret_parameter(name: &str) -> bool {
    if COMMON.contains(&name) || LOAM_SESSIONS.contains(&name) {
        return false;
    }
    let name = in_words(name);
    name == "session_id" || name.ends_with("_session_id") || has_secret(&name) || ends_as_secret(&name)
}

/// Whether an attribute of a span, or of a call, holds a secret: as for a parameter, but ids of sessions are none.
#[must_use]
pub fn is_secret_attribute(name: &str) -> bool {
    let name = in_words(name);
    has_secret(&name) || ends_as_secret(&name)
}

/// Whether the last word of a parameter's name says that it holds a secret.
fn ends_as_secret(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or_default();
    LAST_OF_PARAMETERS.contains(&last) && !PLAIN_PARAMETERS.iter().any(|plain| name.ends_with(plain))
}

fn has_secret(name: &str) -> bool {
    let joined = name.replace('_', "");
    PARTS.iter().any(|part| joined.contains(part))
        || (joined.contains("token") && !counts_tokens(name))
        || name.split('_').any(|word| WORDS.contains(&word))
        || matches!(name, "session" | "x_session")
}

/// Whether a name with `token` in it is about how many there are.
fn counts_tokens(name: &str) -> bool {
    let words = || name.split('_');
    if words().any(|word| COUNTING.contains(&word) || word.starts_with("tokeniz")) {
        return true;
    }
    let mut before = "";
    for word in words() {
        match word {
            "tokens" if !CREDENTIALS.contains(&before) => {}
            word if word.contains("token") => return false,
            _ => {}
        }
        before = word;
    }
    true
}

/// A name in lower case with `_` between its words: `X-API-Key` and `xApiKey` are `x_api_key`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut letters = name.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        if letter.is_ascii_uppercase() {
            let begins = before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && letters.peek().is_some_and(char::is_ascii_lowercase));
            if begins {
                words.push('_');
            }
        }
        match letter {
            letter if letter.is_ascii_alphanumeric() => words.push(letter.to_ascii_lowercase()),
            letter if letter.is_ascii() => words.push('_'),
            letter => words.push(letter),
        }
        before = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "x-api-key",
            "X-API-Key",
            "xApiKey",
            "apikey",
            "x-auth-key",
            "x-loam-csrf",
            "x-session",
            "X-CSRF-Token",
            "Set-Cookie",
            "cookie",
            "clientSecret",
            "client_secret",
            "ACCESS_TOKEN",
            "accessToken",
            "accesstoken",
            "refresh_tokens",
            "session_token",
            "id_token",
            "token",
            "X-Signature",
            "x-amz-security-token",
            "Ocp-Apim-Subscription-Key",
            "bootstrap_password",
            "old_password",
            "privateKey",
            "PHPSESSID",
            "db.password",
            "jwt",
            "pwd",
            "http.request.header.authorization",
        ] {
            assert!(is_secret(name), "{name}");
            assert!(is_secret_parameter(name), "{name}");
        }
    }

    #[test]
    fn what_counts_or_names_is_none() {
        for name in [
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "max_tokens",
            "maxTokens",
            "max_completion_tokens",
            "gen_ai.usage.input_tokens",
            "llm.token_count.prompt",
            "tokens",
            "total_tokens",
            "tokens_per_minute",
            "x-ratelimit-remaining-tokens",
            "token_type",
            "tokenizer",
            "session.id",
            "session_id",
            "sessionId",
            "x-loam-session-id",
            "key_id",
            "api_version",
            "author",
            "authority",
            "content-type",
            "model",
            "user-agent",
            "limit",
            "keyboard",
            "monkey",
            "passage",
            "compass",
            "spin",
            "passed",
            "idempotency-key",
        ] {
            assert!(!is_secret(name), "{name}");
        }
        for name in ["session_id", "x-loam-session-id", "max_tokens", "idempotency-key", "keyboard", "page"] {
            assert!(!is_secret_parameter(name), "{name}");
        }
    }

    #[test]
    fn a_parameter_is_a_secret_where_a_field_is_none() {
        for name in ["key", "keys", "X-Some-Key", "x-session-id", "sessionId", "JSESSIONID", "sid"] {
            assert!(is_secret_parameter(name), "{name}");
        }
        for name in ["key", "cache_key", "primaryKey", "x-session-id"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
