//! The host's log, written to stderr.

use tracing_subscriber::EnvFilter;

use crate::{
    failure::{Failure, Result},
    host_options::{LogFormat, LogOptions},
    output::colours_stderr,
};

/// Turns the log on, once a process.
///
/// # Errors
/// `usage` when the filter cannot be read.
pub(crate) fn start(options: &LogOptions) -> Result<()> {
    let filter = EnvFilter::try_new(&options.filter).map_err(|error| {
        Failure::usage(format!("{:?} is not a log filter", options.filter))
            .caused_by(&error)
            .with_hint("write a level (error, warn, info, debug, trace), or module=level pairs parted by commas")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours_stderr());
    match options.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    }
    .map_err(|error| Failure::internal("the log cannot be turned on").caused_by(&*error))
}
