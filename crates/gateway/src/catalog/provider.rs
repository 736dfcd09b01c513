//! A provider, ready for use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Uri};
use loam_http::client::Timeouts;
use loam_kernel::{AiProviderId, Error, Result};
use loam_platform::seal::Keyring;
use loam_providers::{Config, Endpoint, Outgoing, Wire};

use super::health::{Availability, Health, HealthRegistry};
use crate::ai_providers;

/// More keys than a kind's schema allows.
const MAX_KEYS: usize = 64;

/// A provider, ready for use.
pub(crate) struct Provider {
    pub(crate) id: AiProviderId,
    pub(crate) name: String,
    pub(crate) is_active: bool,
    pub(crate) wire: &'static dyn Wire,
    pub(crate) config: Config,
    pub(crate) timeouts: Timeouts,
    /// Its list of models, and when it was fetched.
    pub(crate) model_list: Mutex<Option<(Instant, Vec<String>)>>,
    /// Without a trailing slash.
    base_url: String,
    /// The URLs of its endpoints, built on first use.
    uris: [OnceLock<(&'static str, Uri)>; Endpoint::ALL.len()],
    keys: Vec<Key>,
    /// Counts calls, to rotate the keys.
    next_key: AtomicUsize,
}

/// One of a provider's keys.
pub(crate) struct Key {
    /// Its index among the provider's keys.
    pub(crate) number: usize,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) health: Health,
}

impl Provider {
    /// Whether its base URL has this host.
    pub(super) fn is_at(&self, host: &str) -> bool {
        self.base_url.parse::<Uri>().is_ok_and(|url| url.host() == Some(host))
    }

    pub(super) fn new(
        keyring: &Keyring,
        mut timeouts: Timeouts,
        health_registry: &HealthRegistry,
        row: ai_providers::entity::Model,
    ) -> Result<Self> {
        let kind = ai_providers::stored_config::kind_of(&row)?;
        let config = ai_providers::stored_config::open_config(keyring, &row)?;
        if let Some(seconds) = config.first_byte_timeout {
            timeouts.first_byte = Duration::from_secs(seconds);
        }
        if let Some(seconds) = config.idle_timeout {
            timeouts.idle = Duration::from_secs(seconds);
        }
        let secrets: Vec<Option<&str>> = match (&config.api_key, config.api_keys.as_slice()) {
            (None, []) => vec![None],
            (first, more) => first.iter().chain(more).map(|key| Some(key.as_str())).collect(),
        };
        let keys = secrets.iter().take(MAX_KEYS).enumerate().map(|(number, secret)| {
            let headers = kind.wire.headers(&config, *secret)?;
            // a changed key doesn't inherit the health of the old one
            let part = format!("key {number} {}", row.updated_at.timestamp_micros());
            Ok(Key { number, headers, health: health_registry.health(row.id, part) })
        });
        Ok(Self {
            keys: keys.collect::<Result<_>>()?,
            base_url: config.base_url.trim_end_matches('/').to_owned(),
            id: row.id,
            name: row.name,
            is_active: row.is_active,
            wire: kind.wire,
            config,
            timeouts,
            model_list: Mutex::new(None),
            uris: Default::default(),
            next_key: AtomicUsize::new(0),
        })
    }

    /// The URL of an endpoint.
    pub(crate) fn uri(&self, endpoint: Endpoint, outgoing: &Outgoing) -> Result<Uri> {
        let slot = &self.uris[endpoint as usize];
        match slot.get() {
            Some((path, uri)) if *path == outgoing.path => Ok(uri.clone()),
            _ => {
                let uri = self.address(outgoing.path)?;
                _ = slot.set((outgoing.path, uri.clone()));
                Ok(uri)
            }
        }
    }

    /// A URL below the base URL.
    pub(crate) fn address(&self, path: &str) -> Result<Uri> {
        Uri::try_from(format!("{}{path}", self.base_url)).map_err(Error::internal)
    }

    /// The number of keys.
    pub(crate) fn keys(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// The next key in rotation that is not cooling down; if all are, the one that is available soonest.
    pub(crate) fn key(&self, now: Instant) -> &Key {
        if let [only] = self.keys.as_slice() {
            return only;
        }
        let first = self.next_key.fetch_add(1, Ordering::Relaxed);
        let mut soonest: Option<(Instant, &Key)> = None;
        for i in 0..self.keys.len() {
            let key = &self.keys[(first + i) % self.keys.len()];
            match key.health.acquire(now) {
                Availability::Available => return key,
                Availability::CoolingDown(until) if soonest.is_none_or(|(best, _)| until < best) => {
                    soonest = Some((until, key));
                }
                Availability::CoolingDown(_) => {}
            }
        }
        soonest.map_or(&self.keys[0], |(_, key)| key)
    }

    /// Whether the provider is configured with a list of models that lacks this one.
    pub(crate) fn lacks_model(&self, model: &str) -> bool {
        !(self.config.models.is_empty() || self.config.models.iter().any(|known| known == model))
    }
}
