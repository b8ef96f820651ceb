//! Rows that compare the two sides.

use std::fmt;

/// What a row's figures must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// Host to native.
    RatioAtMost(f64),
    /// Host to native.
    RatioAtLeast(f64),
    /// The host's own figure.
    HostBelow(f64),
}

/// One figure of both sides.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    native: f64,
    host: f64,
    bound: Option<Bound>,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.host / self.native
    }

    /// True if it has no bound, or keeps to it.
    pub(super) fn holds(&self) -> bool {
        match self.bound {
            None => true,
            Some(Bound::RatioAtMost(most)) => self.ratio() <= most,
            Some(Bound::RatioAtLeast(least)) => self.ratio() >= least,
            Some(Bound::HostBelow(most)) => self.host < most,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, native, host, ratio) = (&self.what, self.native, self.host, self.ratio());
        write!(f, "| {what} | {native:.2} | {host:.2} | {ratio:.2} | ")?;
        let verdict = if self.holds() { "holds" } else { "**missed**" };
        match self.bound {
            None => {}
            Some(Bound::RatioAtMost(most)) => write!(f, "/ ≤ {most:.2}: {verdict}")?,
            Some(Bound::RatioAtLeast(least)) => write!(f, "/ ≥ {least:.2}: {verdict}")?,
            Some(Bound::HostBelow(most)) => write!(f, "host < {most:.0}: {verdict}")?,
        }
        f.write_str(" |")
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// A row of `[native, host]`.
    pub(super) fn add(&mut self, what: impl Into<String>, [native, host]: [f64; 2]) {
        self.rows.push(Row {
            what: what.into(),
            native,
            host,
            bound: None,
        });
    }

    /// The same, with a bound where there is one.
    pub(super) fn bounded(
        &mut self,
        what: impl Into<String>,
        [native, host]: [f64; 2],
        bound: impl Into<Option<Bound>>,
    ) {
        self.rows.push(Row {
            what: what.into(),
            native,
            host,
            bound: bound.into(),
        });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| | native | host | / | bound |\n| --- | --- | --- | --- | --- |"
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}
