//! Prints the path of the `temporal` program, found as `tenterhook dev` finds it; for `xtask`,
//! which is too light to carry the search itself.

use std::io::{self, Write as _};
use std::process::ExitCode;

use tenterhook_embedded::{Places, TemporalProgram};

#[tokio::main]
async fn main() -> io::Result<ExitCode> {
    match TemporalProgram::find(&Places::from_environment()).await {
        Ok(found) => {
            writeln!(io::stdout(), "{}", found.path().display())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            writeln!(io::stderr(), "{error}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
