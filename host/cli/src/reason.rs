//! Why something is changed: it stands in the host's audit log.

use clap::Args;
use tenterhook_domain::audit::REASON_CHARS_MAX;

/// `--reason TEXT`.
#[derive(Debug, Default, Args)]
pub(crate) struct ReasonArgument {
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", value_parser = parse)]
    reason: Option<String>,
}

impl ReasonArgument {
    /// The reason, if one is given.
    pub(crate) fn text(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

fn parse(text: &str) -> Result<String, String> {
    if text.chars().count() > REASON_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "write one line of {REASON_CHARS_MAX} characters at most"
        ));
    }
    Ok(text.to_owned())
}
