//! The effective configuration: defaults, then `outspan.toml`, then the environment, then flags. Only this file reads
//! the file and the environment.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::{ledger, query, receive};

/// All settings of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Directory or URL of the tables.
    pub data: String,
    /// Directory of the log, where `data` is not on a local disk.
    pub wal: Option<PathBuf>,
    /// The secret behind all keyed hashes, where nodes share a store (`OUTSPAN_SECRET_KEY`); never shown.
    #[serde(skip_serializing)]
    pub secret_key: Option<String>,
    /// Options of the object store, as `object_store` names them; secrets among them are never shown.
    #[serde(
        skip_serializing_if = "HashMap::is_empty",
        serialize_with = "names_only"
    )]
    pub store: HashMap<String, String>,
    /// All memory that the server may use, in MiB.
    pub memory_mib: usize,
    /// What the log may take of its disk, in MiB.
    pub wal_mib_max: u64,
    /// Move damage in the log aside instead of refusing to start.
    pub wal_salvage: bool,
    /// How long a row may wait before it is written to its table.
    pub flush_after_ms: u64,
    /// Listen on other addresses than loopback although there are no API keys.
    pub insecure: bool,
    /// Where the doors are.
    pub listen: Listen,
    /// How long rows are kept.
    pub retention: ledger::Retention,
    /// Limits of what is received.
    pub receive: receive::Config,
    /// Limits of queries.
    pub query: query::Config,
}

/// Addresses of the doors; port 0 picks a free one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub otlp: SocketAddr,
    /// UI and API.
    pub http: SocketAddr,
    /// PostgreSQL wire.
    pub pg: SocketAddr,
    /// Arrow Flight SQL.
    pub flight: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            grpc: local(4317),
            otlp: local(4318),
            http: local(7317),
            pg: local(5433),
            flight: local(7318),
        }
    }
}

impl Listen {
    /// Returns loopback addresses that nobody has.
    pub(super) fn free() -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            grpc: free,
            otlp: free,
            http: free,
            pg: free,
            flight: free,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "./outspan-data".to_owned(),
            wal: None,
            secret_key: None,
            store: HashMap::new(),
            memory_mib: 1024,
            wal_mib_max: 8192,
            wal_salvage: false,
            flush_after_ms: 30_000,
            insecure: false,
            listen: Listen::default(),
            retention: ledger::Retention::default(),
            receive: receive::Config::default(),
            query: query::Config::default(),
        }
    }
}

/// The file that is read where no other is named.
const FILE: &str = "outspan.toml";
const PREFIX: &str = "OUTSPAN_";

impl Settings {
    /// Reads the settings; `flags` holds what the command line says.
    ///
    /// # Errors
    /// Where the named file is missing, or a setting is unknown or not what it should be; the message says which.
    pub fn read(file: Option<&Path>, flags: impl Serialize) -> anyhow::Result<Self> {
        if let Some(file) = file {
            anyhow::ensure!(
                file.is_file(),
                "there is no configuration file {}",
                file.display()
            );
        }
        let known = known_names()?;
        let environment = Env::prefixed(PREFIX)
            // Other words of ours in the environment, such as those of tests, are no settings.
            .filter(move |name| {
                let first = name.as_str().split("__").next().unwrap_or_default();
                known.iter().any(|known| known.eq_ignore_ascii_case(first))
            })
            .split("__");
        let settings: Self = Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(file.unwrap_or(Path::new(FILE))))
            .merge(environment)
            .merge(Serialized::defaults(flags))
            .extract()
            .context("the configuration cannot be used")?;
        settings.checked()
    }

    fn checked(self) -> anyhow::Result<Self> {
        if let Some(secret) = &self.secret_key {
            anyhow::ensure!(
                secret.len() >= 16,
                "secret_key has {} bytes, the least is 16",
                secret.len()
            );
        }
        anyhow::ensure!(
            self.memory_mib >= 128,
            "memory_mib is {}, the least is 128",
            self.memory_mib
        );
        anyhow::ensure!(
            self.wal_mib_max >= 128,
            "wal_mib_max is {}, the least is 128",
            self.wal_mib_max
        );
        let doors = [
            self.listen.grpc,
            self.listen.otlp,
            self.listen.http,
            self.listen.pg,
            self.listen.flight,
        ];
        if let Some(open) = doors.iter().find(|door| !door.ip().is_loopback())
            && !self.insecure
        {
            anyhow::bail!(
                "refusing to listen on {open} without API keys\nhint: listen on 127.0.0.1, or say --insecure if the network is yours"
            );
        }
        Ok(self)
    }

    /// Returns the settings of the engine.
    pub fn ledger(&self) -> ledger::Config {
        let memory_bytes = self.memory_mib << 20;
        ledger::Config {
            data: self.data.clone(),
            wal: self.wal.clone(),
            secret_key: self.secret_key.clone(),
            store: self.store.clone(),
            memory_bytes,
            wal_bytes_max: self.wal_mib_max << 20,
            wal_salvage: self.wal_salvage,
            flush_after_ms: self.flush_after_ms,
            // There are no keys yet: the data says whose it is.
            tenant_from_resource: true,
            retention: self.retention.clone(),
            query: self.query.clone(),
        }
    }
}

/// Returns the names of the top-level settings.
fn known_names() -> anyhow::Result<Vec<String>> {
    let defaults = serde_json::to_value(Settings::default())?;
    let mut names: Vec<String> = defaults
        .as_object()
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default();
    // Not shown where they are not set, or never.
    names.extend(["wal", "store", "secret_key"].map(str::to_owned));
    Ok(names)
}

/// Shows which store options are set, not what they say: keys are among them.
fn names_only<S: serde::Serializer>(
    options: &HashMap<String, String>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(options.keys().map(|name| (name, "(set)")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flags_beat_the_file_and_what_neither_says_is_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("outspan.toml");
        std::fs::write(
            &file,
            "data = \"from-file\"\nmemory_mib = 512\n[listen]\nhttp = \"127.0.0.1:1\"",
        )
        .unwrap();
        let settings = Settings::read(Some(&file), json!({ "data": "from-flag" })).unwrap();
        assert_eq!(
            (settings.data.as_str(), settings.memory_mib),
            ("from-flag", 512)
        );
        assert_eq!(settings.listen.http.port(), 1);
        assert_eq!(settings.listen.grpc.port(), 4317);
    }

    #[test]
    fn a_setting_that_does_not_exist_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("outspan.toml");
        std::fs::write(&file, "memroy_mib = 512").unwrap();
        let error = format!("{:#}", Settings::read(Some(&file), json!({})).unwrap_err());
        assert!(error.contains("memroy_mib"), "{error}");
    }

    #[test]
    fn an_open_door_without_keys_is_refused_unless_asked_for() {
        let open = json!({ "listen": { "http": "0.0.0.0:7317" } });
        assert!(Settings::read(None, &open).is_err());
        let meant = json!({ "listen": { "http": "0.0.0.0:7317" }, "insecure": true });
        assert!(Settings::read(None, &meant).is_ok());
    }
}
