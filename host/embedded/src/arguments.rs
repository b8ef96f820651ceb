//! What the server is started with: the caller's part, and the settings that are always right
//! for one machine.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::ports::Ports;
use crate::program::TemporalProgram;

/// The dev server listens nowhere but here: it has no authentication of its own.
pub(crate) const LISTEN: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Task processors poll the one shard 20 times a second by default, which adds up to 50 ms to
/// every step of an idle machine's workflow. With these a one-activity workflow takes 17 ms
/// instead of 150 (measured with Server 1.29.1). One partition a queue for the same reason: tasks
/// and pollers meet at once instead of being forwarded. Fairness keys need the new matcher.
/// Timers are held back by up to the time shift, 1 s by default, against clocks that differ between
/// hosts; here is one clock. A 1 ms timer took 1.05 s with the default and 0.1 s without it.
/// Activities come back eagerly, with the answer to the workflow task that asks for them, where the worker has a slot
/// free: a way through the task queue less for each.
const SETTINGS: [(&str, &str); 9] = [
    ("history.transferProcessorMaxPollRPS", "2000"),
    ("history.timerProcessorMaxPollRPS", "2000"),
    ("history.visibilityProcessorMaxPollRPS", "2000"),
    ("history.timerProcessorMaxTimeShift", "\"1ms\""),
    ("matching.numTaskqueueReadPartitions", "1"),
    ("matching.numTaskqueueWritePartitions", "1"),
    ("matching.useNewMatcher", "true"),
    ("matching.enableFairness", "true"),
    ("system.enableActivityEagerExecution", "true"),
];

/// With a write-ahead log readers do not wait for writers, and a commit is one append.
const SQLITE_PRAGMA: &str = "journal_mode=WAL";

/// How to run the embedded server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The program to run.
    pub program: TemporalProgram,
    /// The SQLite file with everything the server keeps; made when absent, with its folder.
    pub database: PathBuf,
    /// Where the server's own output goes. Set aside as `FILE.old` when it has grown.
    pub log: PathBuf,
    /// The port of the gRPC frontend on 127.0.0.1; 0 takes a free one.
    pub frontend_port: u16,
    /// Temporal's web UI.
    pub ui: Ui,
    /// Namespaces made at start, beside `default`.
    pub namespaces: Vec<String>,
    /// Search attributes made at start, in every namespace.
    pub search_attributes: Vec<SearchAttribute>,
}

/// Whether Temporal's web UI is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ui {
    /// Not at all.
    Off,
    /// On this port of 127.0.0.1; 0 takes a free one.
    On(u16),
}

/// A search attribute that workflows can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchAttribute {
    /// Its name, an identifier.
    pub name: String,
    /// Temporal's name of its type: `Keyword`, `Int`, `Bool`, `Datetime` and so on.
    pub kind: String,
}

impl SearchAttribute {
    /// An attribute that is matched as a whole.
    #[must_use]
    pub fn keyword(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: "Keyword".to_owned(),
        }
    }
}

impl Config {
    /// The usual configuration: everything under `data`, free ports, the UI on, and the search
    /// attributes that every workflow of this host carries.
    #[must_use]
    pub fn new(program: TemporalProgram, data: &Path) -> Self {
        Self {
            program,
            database: data.join("temporal.db"),
            log: data.join("temporal.log"),
            frontend_port: 0,
            ui: Ui::On(0),
            namespaces: Vec::new(),
            search_attributes: ["Tenant", "Environment", "Plugin"]
                .map(SearchAttribute::keyword)
                .into(),
        }
    }

    /// The child's command line on `ports`.
    pub(crate) fn arguments(&self, ports: Ports) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["server".into(), "start-dev".into()];
        let mut pair = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
        pair("--ip", LISTEN.to_string().into());
        pair("--port", ports.frontend.to_string().into());
        if let Some(ui) = ports.ui {
            pair("--ui-port", ui.to_string().into());
        }
        pair("--db-filename", self.database.clone().into());
        pair("--sqlite-pragma", SQLITE_PRAGMA.into());
        pair("--log-level", "warn".into());
        for namespace in &self.namespaces {
            pair("--namespace", namespace.into());
        }
        for SearchAttribute { name, kind } in &self.search_attributes {
            pair("--search-attribute", format!("{name}={kind}").into());
        }
        for (key, value) in SETTINGS {
            pair("--dynamic-config-value", format!("{key}={value}").into());
        }
        if ports.ui.is_none() {
            arguments.push("--headless".into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ui: Ui, ports: Ports) -> String {
        let config = Config {
            ui,
            ..Config::new(TemporalProgram::at("temporal"), Path::new("/data"))
        };
        let arguments = config.arguments(ports);
        arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_command_line_carries_every_setting() {
        let line = line(
            Ui::On(0),
            Ports {
                frontend: 7233,
                ui: Some(8233),
            },
        );
        assert_eq!(
            line,
            "server start-dev --ip 127.0.0.1 --port 7233 --ui-port 8233 --db-filename /data/temporal.db \
             --sqlite-pragma journal_mode=WAL --log-level warn --search-attribute Tenant=Keyword \
             --search-attribute Environment=Keyword --search-attribute Plugin=Keyword \
             --dynamic-config-value history.transferProcessorMaxPollRPS=2000 \
             --dynamic-config-value history.timerProcessorMaxPollRPS=2000 \
             --dynamic-config-value history.visibilityProcessorMaxPollRPS=2000 \
             --dynamic-config-value history.timerProcessorMaxTimeShift=\"1ms\" \
             --dynamic-config-value matching.numTaskqueueReadPartitions=1 \
             --dynamic-config-value matching.numTaskqueueWritePartitions=1 \
             --dynamic-config-value matching.useNewMatcher=true \
             --dynamic-config-value matching.enableFairness=true \
             --dynamic-config-value system.enableActivityEagerExecution=true"
        );
    }

    #[test]
    fn without_a_ui_the_server_is_headless() {
        let line = line(
            Ui::Off,
            Ports {
                frontend: 7233,
                ui: None,
            },
        );
        assert!(line.ends_with("--headless"), "{line}");
        assert!(!line.contains("--ui-port"), "{line}");
    }
}
