//! Reading, believing and refusing, with the standards' own examples.

use chrono::{DateTime, Utc};
use loam_kernel::Error;
use serde_json::{Value, json};

use super::*;

const EVERY: [Algorithm; 6] = [
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Hs256,
];

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn jwk(value: Value) -> VerifyingKey {
    VerifyingKey::public(&serde_json::from_value(value).unwrap()).unwrap()
}

fn check(text: &str, key: &VerifyingKey, now: i64) -> Result<(), Error> {
    let token = Token::read(text)?;
    token.verify(key, token.algorithm(&EVERY)?, at(now))
}

fn code(result: Result<(), Error>) -> &'static str {
    result.map_or_else(|e| e.code(), |()| "believed")
}

fn signer() -> Signer {
    Signer::open("k".to_owned(), &Signer::generate().unwrap()).unwrap()
}

fn made(claims: Value) -> (String, VerifyingKey) {
    let signer = signer();
    (sign(&signer, &claims).unwrap(), VerifyingKey::public(&signer.public()).unwrap())
}

#[test]
fn the_example_of_rfc_7515_a_1_is_believed_in_its_time() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = VerifyingKey::secret(&URL_SAFE_NO_PAD.decode(secret).unwrap());
    let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(code(check(text, &key, 1_300_819_380)), "believed");
    assert_eq!(code(check(text, &key, 1_300_819_410)), "expired_token");
    let other = VerifyingKey::secret(b"another secret of more than 32 bytes");
    assert_eq!(code(check(text, &other, 1_300_819_380)), "invalid_token");
}

#[test]
fn the_example_of_rfc_7515_a_3_is_believed_under_its_key_alone() {
    let key = jwk(json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    }));
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y\
                b290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(code(check(text, &key, 1_300_819_380)), "believed");
    let (_, other) = made(json!({}));
    assert_eq!(code(check(text, &other, 1_300_819_380)), "invalid_token");
}

#[test]
fn the_example_of_rfc_8037_a_4_has_the_signature_that_we_find_right() {
    let key = jwk(json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }));
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert!(key.verify(Algorithm::EdDsa, message, &signature));
    assert!(!key.verify(Algorithm::EdDsa, &message[1..], &signature));
}

#[test]
fn a_key_takes_its_own_algorithm_alone() {
    let (text, key) = made(json!({ "exp": 1000 }));
    let token = Token::read(&text).unwrap();
    for algorithm in EVERY {
        let believed = token.verify(&key, algorithm, at(0)).is_ok();
        assert_eq!(believed, algorithm == Algorithm::EdDsa, "{algorithm:?}");
    }
    // a public key is no secret, whatever a token says
    let public = VerifyingKey::secret(&serde_json::to_vec(&signer().public()).unwrap());
    assert!(token.verify(&public, Algorithm::EdDsa, at(0)).is_err());
}

#[test]
fn times_are_kept_to_half_a_minute() {
    for (claims, now, expected) in [
        (json!({ "exp": 1000 }), 1029, "believed"),
        (json!({ "exp": 1000 }), 1030, "expired_token"),
        (json!({ "exp": 1000.5 }), 1030, "believed"),
        (json!({ "exp": -1 }), 1000, "expired_token"),
        (json!({ "exp": 9e300 }), 1000, "believed"),
        (json!({}), 1000, "invalid_token"),
        (json!({ "exp": "1000" }), 0, "invalid_token"),
        (json!({ "exp": 2000, "nbf": 1030 }), 1000, "believed"),
        (json!({ "exp": 2000, "nbf": 1031 }), 1000, "token_not_yet_valid"),
    ] {
        let (text, key) = made(claims.clone());
        assert_eq!(code(check(&text, &key, now)), expected, "{claims} at {now}");
        _ = Token::read(&text).map(|token| token.expires_at());
    }
}

#[test]
fn what_is_no_token_is_refused_unread() {
    let (good, key) = made(json!({ "exp": 1000 }));
    let parts: Vec<&str> = good.split('.').collect();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = |value: Value| format!("{}.{}.{}", part(value), parts[1], parts[2]);
    for text in [
        String::new(),
        "..".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{good}.{}", parts[2]),
        format!("{good}="),
        format!("{}.{}.*", parts[0], parts[1]),
        header(json!([])),
        header(json!({ "alg": 7 })),
        header(json!({})),
        header(json!({ "alg": "EdDSA", "crit": ["b64"], "b64": false })),
        format!("{}.{}.{}", parts[0], part(json!([])), parts[2]),
        format!("{}{}", "A".repeat(9000), good),
    ] {
        assert_eq!(code(check(&text, &key, 0)), "invalid_token", "{text:.80}");
    }
    for algorithm in ["none", "None", "", "HS512", "eddsa", "ES256K"] {
        let text = header(json!({ "alg": algorithm }));
        assert_eq!(code(check(&text, &key, 0)), "algorithm_not_allowed", "{algorithm}");
    }
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg": "EdDSA", "alg": "none"}"#);
    assert_eq!(code(check(&format!("{twice}.{}.{}", parts[1], parts[2]), &key, 0)), "invalid_token");
}

#[test]
fn a_token_is_for_those_whom_it_names() {
    let of = |aud: Value| serde_json::from_value::<Claims>(json!({ "aud": aud })).unwrap().aud;
    assert!(of(json!("a")).holds("a") && of(json!(["b", "a"])).holds("a"));
    assert!(!of(json!("ab")).holds("a") && !of(json!([])).holds("a"));
    assert!(!serde_json::from_value::<Claims>(json!({})).unwrap().aud.holds(""));
    assert!(serde_json::from_value::<Claims>(json!({ "aud": 7 })).is_err());
}
