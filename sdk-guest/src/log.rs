//! The plugin's log. The host adds tenant, environment, plugin, workflow id and attempt to each line.
//!
//! In activities use the macros [`debug!`](crate::debug), [`info!`](crate::info), [`warn!`](crate::warn) and
//! [`error!`](crate::error). In workflows use [`in_workflow`], which is silent while history is replayed.

use temporalio_workflow::WorkflowContext;

use crate::generated::wasi::logging::logging;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the author, while the plugin is being written.
    Debug,
    /// What happened, in the normal course.
    Info,
    /// What somebody may want to look at.
    Warn,
    /// What somebody must look at.
    Error,
}

/// Writes one line. `context` says where it comes from; the macros give the module's path.
pub fn write(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
    };
    logging::log(level, context, message);
}

/// Writes one line from workflow code, once: not again when history is replayed.
pub fn in_workflow<W>(ctx: &WorkflowContext<W>, level: Level, message: &str) {
    if !ctx.is_replaying() {
        write(level, "workflow", message);
    }
}

/// Writes a line of level debug; takes what `format!` takes.
#[macro_export]
macro_rules! debug {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::module_path!(), &::std::format!($($text)+)) };
}

/// Writes a line of level info; takes what `format!` takes.
#[macro_export]
macro_rules! info {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::module_path!(), &::std::format!($($text)+)) };
}

/// Writes a line of level warn; takes what `format!` takes.
#[macro_export]
macro_rules! warn {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::module_path!(), &::std::format!($($text)+)) };
}

/// Writes a line of level error; takes what `format!` takes.
#[macro_export]
macro_rules! error {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::module_path!(), &::std::format!($($text)+)) };
}
