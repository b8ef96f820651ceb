//! Choosing ports for a child that wants to be told them.

use std::io;
use std::net::TcpListener;

use crate::arguments::{Config, LISTEN, Ui};

/// The ports one server runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) frontend: u16,
    pub(crate) ui: Option<u16>,
}

impl Ports {
    /// The configured ports, and free ones where 0 was asked for.
    ///
    /// A port found free can be taken by another process before the child binds it; the child
    /// then exits and says so, and the caller chooses again.
    pub(crate) fn choose(config: &Config) -> io::Result<Self> {
        // Both are held until both are known, so that they differ.
        let (frontend, _held) = given_or_free(config.frontend_port)?;
        let ui = match config.ui {
            Ui::Off => None,
            Ui::On(port) => Some(given_or_free(port)?),
        };
        Ok(Self {
            frontend,
            ui: ui.map(|(port, _held)| port),
        })
    }
}

fn given_or_free(port: u16) -> io::Result<(u16, Option<TcpListener>)> {
    if port != 0 {
        return Ok((port, None));
    }
    let held = TcpListener::bind((LISTEN, 0))?;
    Ok((held.local_addr()?.port(), Some(held)))
}
