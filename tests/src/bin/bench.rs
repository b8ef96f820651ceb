//! `cargo xtask bench`: this host against a native worker; see `tenterhook_tests::bench`.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use tenterhook_tests::{
    bench::{self, Plan, report::Report},
    install_tls,
};

/// What is written by hand in a file of results stands under this line, and stays.
const NOTES: &str = "## Notes\n";

/// Measures this host against a native worker of Temporal's SDK on one fresh server, and prints Markdown.
#[derive(Debug, Parser)]
struct Arguments {
    /// A look in under a minute; the figures are rough.
    #[arg(long)]
    quick: bool,
    /// Only uploads to the first result, and starts of cold hosts.
    #[arg(long, conflicts_with_all = ["check", "write"])]
    releases: bool,
    /// End with 1 when a bound is missed.
    #[arg(long)]
    check: bool,
    /// Write the results to this file too; its notes are kept.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    install_tls();
    let plan = if arguments.quick {
        Plan::quick()
    } else {
        Plan::full()
    };
    if arguments.releases {
        let releases = bench::release::measure(&plan).await?;
        writeln!(io::stdout(), "{releases}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = bench::run(&plan).await?;
    writeln!(io::stdout(), "{report}")?;
    if let Some(file) = &arguments.write {
        write(file, &report)?;
    }
    let missed = arguments.check && !report.holds();
    Ok(if missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn write(file: &Path, report: &Report) -> io::Result<()> {
    let old = fs::read_to_string(file).unwrap_or_default();
    let notes = old.split_once(NOTES).map_or("", |(_, notes)| notes);
    fs::write(
        file,
        format!("# Results of `cargo xtask bench`\n\n{report}\n{NOTES}{notes}"),
    )
}
