//! Describes a validation error of a configuration: its path and what is expected, never the value, which may be a
//! secret.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use loam_kernel::truncate_chars;

/// The path of the error, with a dot before each part, and what is expected there.
pub(super) fn describe(error: &ValidationError<'_>) -> (String, String) {
    let mut path = error.instance_path().to_string().replace('/', ".");
    let message = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            // the name comes from the client and may be of any length
            let name = unexpected.first().map(|name| truncate_chars(name, 100).to_owned());
            path.extend(name.map(|name| format!(".{name}")));
            "is unknown: see the kind's `config_schema`".to_owned()
        }
        ValidationErrorKind::Required { property } => {
            path.extend(property.as_str().map(|name| format!(".{name}")));
            "is missing".to_owned()
        }
        ValidationErrorKind::Type { kind } => match kind {
            TypeKind::Single(kind) => format!("must be of type {kind}"),
            TypeKind::Multiple(_) => "is of the wrong type".to_owned(),
        },
        ValidationErrorKind::Enum { options } => format!("must be one of {options}"),
        ValidationErrorKind::Format { format } => format!("must be a valid {format}"),
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        ValidationErrorKind::MinLength { limit } => format!("must have {limit} or more characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have {limit} or fewer characters"),
        ValidationErrorKind::MaxItems { limit } => format!("must have {limit} or fewer items"),
        ValidationErrorKind::Minimum { limit } => format!("must be {limit} or more"),
        ValidationErrorKind::Maximum { limit } => format!("must be {limit} or less"),
        _ => "is not what the kind's `config_schema` allows".to_owned(),
    };
    (path, message)
}
