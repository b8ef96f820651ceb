//! `completions`: what a shell needs to complete this program's arguments.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{
    arguments::Arguments,
    failure::{Failure, Result, code},
};

/// `completions SHELL`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsCommand {
    /// The shell; for bash: `source <(tenterhook completions bash)`
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsCommand {
    /// Writes the script to stdout.
    ///
    /// # Errors
    /// `output-failed`.
    pub(crate) fn write(&self) -> Result<()> {
        let mut command = Arguments::command();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "tenterhook", &mut script);
        io::stdout().lock().write_all(&script).map_err(|error| {
            Failure::new(code::OUTPUT_FAILED, "standard output cannot be written").caused_by(&error)
        })
    }
}
