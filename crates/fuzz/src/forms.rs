//! Forms with files, which clients send.

use http::HeaderValue;
use loam_providers::Endpoint;
use loam_providers::openai::RequestEnvelope;

/// A form: one that is accepted reads the same after its model was replaced, except for the model.
pub fn form(bytes: &[u8]) {
    let content_type = HeaderValue::from_static("multipart/form-data; boundary=xyz");
    let read = |body: &[u8]| RequestEnvelope::of(Endpoint::Transcriptions, Some(&content_type), body);
    let Ok(envelope) = read(bytes) else { return };
    let sent = envelope.with_model(bytes, "large", None);
    let again = read(&sent).expect("a form whose model was replaced is a form");
    assert_eq!(
        (again.model.as_str(), again.stream, &again.end_user),
        ("large", envelope.stream, &envelope.end_user)
    );
    assert_eq!(again.with_model(&sent, &envelope.model, None), bytes, "another byte has changed");
}
