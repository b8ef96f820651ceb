//! Who compiles components: a child process of this program, which has bounds of its own.

use std::{env, path::PathBuf};

use anyhow::Context as _;
use tenterhook_sandbox::{CompileLimits, CompilerCommand};

use crate::arguments::COMPILE_COMPONENT;

/// This very program, also after another one was put in its place on disk.
///
/// # Errors
/// When the program cannot be found on disk.
pub(crate) fn command() -> anyhow::Result<CompilerCommand> {
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() {
        running
    } else {
        env::current_exe().context("this program cannot be found on disk")?
    };
    Ok(CompilerCommand {
        program,
        arguments: vec![COMPILE_COMPONENT.into()],
        limits: CompileLimits::default(),
    })
}
