//! The configuration of a stored provider.

use loam_kernel::{Error, Result};
use loam_platform::seal::Keyring;
use loam_providers::{Config, KindInfo, kind};
use serde_json::Value;

use super::entity::Model;
use super::secrets;

/// The kind of a stored provider.
pub(crate) fn kind_of(row: &Model) -> Result<&'static KindInfo> {
    kind(&row.kind).ok_or_else(|| Error::internal("a provider of an unknown kind"))
}

/// A stored configuration, unsealed.
pub(crate) fn open_config(keyring: &Keyring, row: &Model) -> Result<Config> {
    let config = secrets::open(keyring, kind_of(row)?, row.id, &row.config)?;
    serde_json::from_value(config.into()).map_err(Error::internal)
}

/// A stored configuration with its secrets masked.
pub(super) fn shown_config(row: &Model) -> Value {
    // the secrets of an unknown kind are unknown, so nothing of its configuration is shown
    kind(&row.kind).map_or(Value::Null, |kind| secrets::mask(kind, &row.config))
}
