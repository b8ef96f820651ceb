//! Secrets that a plugin sends and never sees.

/// What stands for the plugin's secret `name` in a header's value. The host puts the value there on the way out, for
/// hosts that an operator grants the secret for, and takes it out of what comes back. In URLs and bodies it stays as it
/// is written.
///
/// ```ignore
/// let charge = http::post(&url)
///     .header("authorization", &format!("Bearer {}", http::secret("api-key")))
///     .json(&request)?
///     .send()?;
/// ```
///
/// A secret that may not go there, or is not set, ends the attempt with a code of the host's: `secret-not-granted`,
/// `secret-not-found`.
#[must_use]
pub fn secret(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_written_as_the_host_reads_it() {
        assert_eq!(secret("api-key"), "{{secret:api-key}}");
    }
}
