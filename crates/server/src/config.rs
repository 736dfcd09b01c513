//! Configuration: a file, over it the environment, over that the command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use loam_http::client::Network;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Everything that can be set. In the environment `LOAM_` and the name, with `__` between the levels:
/// `LOAM_GATEWAY__STRICT=true`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
    /// The folder with everything that Loam keeps on this machine.
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
    /// Where e-mail is handed over.
    pub smtp: loam_platform::mail::MailConfig,
    /// Background jobs.
    pub jobs: loam_jobs::Config,
    /// What opens sealed secrets, in place of the file `master.key`: 32 bytes in Base64, several separated by commas.
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
    /// Threads that serve requests; one a processor unless set.
    pub workers: Option<usize>,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// The largest body of an import, in bytes.
    pub max_import_bytes: usize,
    /// Bytes in memory that the bodies of all requests may take while they come in. A tenant may take half of them.
    pub body_budget_bytes: usize,
    /// Seconds that the head of a request, a pause within its body, or a pause of a client that reads an answer may take.
    /// A whole body has as long, and a second more for each 16 KiB that came.
    pub read_timeout: u64,
    /// Seconds that open requests are given when the server stops.
    pub shutdown_timeout: u64,
    /// Connections at once, as far as there are file descriptors for them. Past it idle ones are closed, and more wait to
    /// be accepted. An eighth of them may be without a credential.
    pub max_connections: usize,
    /// Connections at once from one address (a /64 network of IPv6), other than this machine's or a trusted proxy's; half
    /// of all unless set.
    pub max_connections_per_address: Option<usize>,
    /// Let everybody read `/metrics`; otherwise it takes a key with `metrics:read`.
    pub public_metrics: bool,
    /// Proxies whose `X-Forwarded-For` is believed, as `10.1.0.0/16`; a bare address is a network of one.
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
    /// Bytes a segment file holds.
    pub segment_bytes: u64,
    /// Bytes on disk that may wait for the database; when they are used up, calls answer 503.
    pub disk_budget_bytes: u64,
    /// Bytes in memory that may wait for the disk.
    pub memory_budget_bytes: usize,
    /// Seconds after which what the database has is overwritten with zeros in the journal's files, though a segment is not
    /// full yet.
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

/// What the command line can set.
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
        // other names that begin with `LOAM_` may belong to scripts around Loam
        let environment = Env::prefixed("LOAM_")
            .filter(|key| key.as_str().contains("__") && key != "smtp__password")
            .split("__");
        let max_body = Env::prefixed("LOAM_")
            .only(&["max_body_bytes"])
            .map(|_| "server.max_body_bytes".into())
            .split(".");
        let figment = figment.merge(environment).merge(max_body).merge(Serialized::defaults(flags));
        let mut config: Self =
            figment.extract().map_err(Box::new).context("the configuration is not valid")?;
        // as they are: a secret of digits alone must not be read as a number
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

    /// The folder with everything that Loam keeps on this machine.
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
