//! Declaring a key.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use jsonschema::Validator;
use loam_kernel::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::live::{LiveConfig, Slot};
use super::merge::overlay;
use crate::schema::to_error;

/// What a value is read as: a struct with `#[serde(default)]` whose `Default` is the key's default.
pub trait Settings: DeserializeOwned + Serialize + Default + Send + Sync + 'static {}

impl<T: DeserializeOwned + Serialize + Default + Send + Sync + 'static> Settings for T {}

/// A key of the live configuration, declared as a constant by the part that reads it.
pub struct ConfigKey<T> {
    name: &'static str,
    category: &'static str,
    description: &'static str,
    per_tenant: bool,
    retired: &'static [&'static str],
    schema: fn() -> Value,
    settings: PhantomData<fn() -> T>,
}

impl<T: Settings> ConfigKey<T> {
    /// A key of the instance. Its name begins with its category: `records.api_logs`. `schema` is the JSON Schema of the
    /// value; no field may be required, as what is left out keeps its default.
    pub const fn new(
        name: &'static str,
        category: &'static str,
        description: &'static str,
        schema: fn() -> Value,
    ) -> Self {
        Self { name, category, description, per_tenant: false, retired: &[], schema, settings: PhantomData }
    }

    /// Lets tenants have values of their own.
    #[must_use]
    pub const fn per_tenant(self) -> Self {
        Self { per_tenant: true, ..self }
    }

    /// Names fields of earlier versions, which are ignored in values that are still stored.
    #[must_use]
    pub const fn retired(self, retired: &'static [&'static str]) -> Self {
        Self { retired, ..self }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The declaration, for the list that the server is put together from.
    ///
    /// # Errors
    /// When the name doesn't begin with the category, or the schema is for a secret (those belong to an entity, which seals
    /// them). Whether the schema is one, and takes the default, is for a test to ask: [`Declaration::verify`].
    pub fn declare(&self) -> Result<Declaration> {
        let schema = (self.schema)();
        let wrong = |why: String| Error::internal(format!("the configuration key {}: {why}", self.name));
        if !self.name.starts_with(&format!("{}.", self.category)) {
            return Err(wrong("its name does not begin with its category".to_owned()));
        }
        if schema.to_string().contains("\"writeOnly\"") {
            return Err(wrong("a secret does not belong here".to_owned()));
        }
        let default = serde_json::to_value(T::default()).map_err(Error::internal)?;
        Ok(Declaration {
            name: self.name,
            category: self.category,
            description: self.description,
            per_tenant: self.per_tenant,
            retired: self.retired,
            schema,
            default,
            validator: OnceLock::new(),
            slot: Arc::new(LiveConfig::<T>::default()),
        })
    }
}

/// A declared key, whatever its type.
pub struct Declaration {
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) description: &'static str,
    pub(super) per_tenant: bool,
    retired: &'static [&'static str],
    pub(super) schema: Value,
    pub(super) default: Value,
    /// Made when it is first needed: a server that changes nothing does without.
    validator: OnceLock<Validator>,
    pub(super) slot: Arc<dyn Slot>,
}

impl Declaration {
    /// Refuses a declaration whose schema is none, or doesn't take the default.
    pub fn verify(&self) -> Result<()> {
        self.check(&self.default, &self.default)
    }

    /// The effective value with what is stored at a level; fields of earlier versions are ignored.
    ///
    /// # Errors
    /// If this version doesn't accept what is stored.
    pub(super) fn effective(&self, stored: &Value, below: &Value) -> Result<Value> {
        let mut stored = Cow::Borrowed(stored);
        if self.retired.iter().any(|name| stored.get(name).is_some())
            && let Value::Object(fields) = stored.to_mut()
        {
            fields.retain(|name, _| !self.retired.contains(&name.as_str()));
        }
        self.check(&stored, below)?;
        Ok(overlay(below, &stored))
    }

    fn validator(&self) -> Result<&Validator> {
        if let Some(validator) = self.validator.get() {
            return Ok(validator);
        }
        let built = jsonschema::options().should_validate_formats(true).build(&self.schema);
        let wrong = |e| {
            Error::internal(format!("the schema of the configuration key {} is not valid: {e}", self.name))
        };
        let built = built.map_err(wrong)?;
        Ok(self.validator.get_or_init(|| built))
    }

    /// Refuses a value to be set over `below` that the schema doesn't allow, naming the field at fault.
    pub(super) fn check(&self, value: &Value, below: &Value) -> Result<()> {
        if let Some(fault) = self.validator()?.iter_errors(value).next() {
            return Err(to_error("config_value", &fault));
        }
        // what the schema can't say, the type may
        self.slot.check(overlay(below, value)).map_err(|e| Error::invalid("config_value", e))
    }
}
