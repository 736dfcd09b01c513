//! Configuration: command line over environment over file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use loam_http::client::Network;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The configuration. Environment variables are `LOAM_` and the name, with `__` between levels:
/// `LOAM_GATEWAY__STRICT=true`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
    /// The folder for all data on this machine.
    pub data: Option<PathBuf>,
    /// Limits of the server itself.
    pub server: ServerConfig,
    /// The database.
    pub database: loam_db::Config,
    /// The journal.
    pub journal: JournalConfig,
    /// The gateway.
    pub gateway: loam_gateway::Config,
    /// Log-ins, sessions and tokens.
    pub identity: loam_identity::Config,
    /// Outgoing requests.
    pub outgoing: loam_http::client::Config,
    /// The mail server.
    pub smtp: loam_platform::mail::MailConfig,
    /// Background jobs.
    pub jobs: loam_jobs::Config,
    /// The master keys, instead of the file `master.key`: 32 bytes in Base64, several separated by commas.
    pub master_key: Option<Zeroizing<String>>,
    /// The first key, for automation.
    pub bootstrap_key: Option<Zeroizing<String>>,
    /// The operator's password, for automation.
    pub bootstrap_password: Option<Zeroizing<String>>,
}

/// Limits of the server itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Number of threads that serve requests; defaults to the number of processors.
    pub workers: Option<usize>,
    /// Maximum size of a request body in bytes.
    pub max_body_bytes: usize,
    /// Maximum size of an import body in bytes.
    pub max_import_bytes: usize,
    /// Maximum memory for the bodies of all requests while they are received, in bytes. A tenant may use half of it.
    pub body_budget_bytes: usize,
    /// Timeout in seconds for the head of a request, for a pause within its body, and for a pause of a client that reads a
    /// response. A whole body has this time plus a second for each 16 KiB received.
    pub read_timeout: u64,
    /// Seconds that open requests have to complete when the server stops.
    pub shutdown_timeout: u64,
    /// Maximum number of connections, also limited by file descriptors. Above it idle connections are closed, and new ones
    /// wait. At most an eighth of them may be unauthenticated.
    pub max_connections: usize,
    /// Maximum number of connections from one address (a /64 network of IPv6), except from this machine and trusted proxies;
    /// defaults to half of `max_connections`.
    pub max_connections_per_address: Option<usize>,
    /// Whether `/metrics` is public; otherwise it requires `metrics:read`.
    pub public_metrics: bool,
    /// Proxies whose `X-Forwarded-For` is trusted, such as `10.1.0.0/16`; a bare address is a network of one.
    pub trusted_proxies: Vec<Network>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            workers: None,
            max_body_bytes: 20 << 20,
            max_import_bytes: 64 << 20,
            body_budget_bytes: 256 << 20,
            read_timeout: 60,
            shutdown_timeout: 30,
            max_connections: 10_000,
            max_connections_per_address: None,
            public_metrics: false,
            trusted_proxies: Vec::new(),
        }
    }
}

/// The journal, in which calls are acknowledged before the database has them.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Size of a segment file in bytes.
    pub segment_bytes: u64,
    /// Maximum bytes on disk that are not in the database yet; when it is exceeded, calls return 503.
    pub disk_budget_bytes: u64,
    /// Maximum bytes in memory that are not on disk yet.
    pub memory_budget_bytes: usize,
    /// Seconds after which drained data is overwritten with zeros in the journal's files, even if a segment is not full.
    pub overwrite_seconds: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 16 << 20,
            disk_budget_bytes: 1 << 30,
            memory_budget_bytes: 64 << 20,
            overwrite_seconds: 600,
        }
    }
}

/// The flags of the command line.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<DatabaseFlags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outgoing: Option<OutgoingFlags>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DatabaseFlags {
    pub(crate) url: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct OutgoingFlags {
    pub(crate) allow_networks: Vec<Network>,
}

impl Config {
    /// Reads the configuration: the file if one is named, the environment, the flags.
    pub(crate) fn load(file: Option<&Path>, flags: &Flags) -> Result<Self> {
        let mut figment = Figment::new();
        if let Some(file) = file {
            anyhow::ensure!(file.is_file(), "there is no configuration file {}", file.display());
            figment = figment.merge(Toml::file_exact(file));
        }
        let is_set = |name: &str| Env::var(&format!("LOAM_{name}")).is_some_and(|value| !value.is_empty());
        // other variables with the prefix `LOAM_` may belong to scripts
        let environment = Env::prefixed("LOAM_")
            .filter(move |key| key.as_str().contains("__") && key != "smtp__password" && is_set(key.as_str()))
            .split("__");
        let max_body = Env::prefixed("LOAM_")
            .filter(move |key| key == "max_body_bytes" && is_set(key.as_str()))
            .map(|_| "server.max_body_bytes".into())
            .split(".");
        let figment = figment.merge(environment).merge(max_body).merge(Serialized::defaults(flags));
        let mut config: Self =
            figment.extract().map_err(Box::new).context("the configuration is not valid")?;
        // read as strings: a secret of digits must not be parsed as a number
        let secret = |name| Env::var(name).filter(|text| !text.is_empty()).map(Zeroizing::new);
        config.master_key = secret("LOAM_MASTER_KEY").or(config.master_key);
        config.bootstrap_key = secret("LOAM_BOOTSTRAP_KEY").or(config.bootstrap_key);
        config.bootstrap_password = secret("LOAM_BOOTSTRAP_PASSWORD").or(config.bootstrap_password);
        config.smtp.password = secret("LOAM_SMTP__PASSWORD").or(config.smtp.password);
        Ok(config)
    }

    /// The address to listen on.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8790)))
    }

    /// The folder for all data on this machine.
    pub fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new("data"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("loam.toml");
        std::fs::write(&file, "[gateway]\nstrikt = true\n").expect("written");
        let error = format!("{:#}", Config::load(Some(&file), &Flags::default()).expect_err("refused"));
        assert!(error.contains("strikt"), "{error}");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\n[gateway]\nstrict = true\n").expect("written");
        let flags = Flags { listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))), ..Flags::default() };
        let config = Config::load(Some(&file), &flags).expect("valid");
        assert!(config.gateway.strict && config.listen().port() == 2, "a flag is over the file");
    }

    #[test]
    fn this_machine_is_reached_only_where_its_network_is_named() {
        let listening = Flags { listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))), ..Flags::default() };
        let reaches = |flags: &Flags| {
            let config = Config::load(None, flags).expect("valid");
            let guard = loam_http::client::Guard::new(&config.outgoing);
            guard.check_url("base_url", "http://127.0.0.1:11434/v1").is_ok()
        };
        assert!(!reaches(&Flags::default()) && !reaches(&listening), "wherever the server listens");
        let networks = vec!["127.0.0.0/8".parse().expect("a network")];
        let outgoing = Some(OutgoingFlags { allow_networks: networks });
        assert!(reaches(&Flags { outgoing, ..Flags::default() }));
    }
}
