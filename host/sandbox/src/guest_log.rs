//! What guests say: stdout, stderr and `wasi:logging`, as bounded, labelled lines of the host's log.
//!
//! Lines go to the tracing target `guest`. The last of stderr is kept, because it is there that a language
//! runtime says why it is about to trap.

use std::sync::Arc;

use tenterhook_domain::{limit::Limits, tally::Tally};
use tracing::Level;

use crate::owner::Owner;

/// Bytes of stderr that are kept for a fault's message.
const LAST_WORDS_BYTES_MAX: usize = 2048;

/// Where a guest wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// Which piece of work the lines belong to.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    /// A workflow instance.
    Run(Box<str>),
    /// An activity attempt.
    Attempt {
        workflow_id: Box<str>,
        run_id: Box<str>,
        activity: Box<str>,
        attempt: u32,
    },
    /// An upload that is being looked at.
    Inspection,
}

/// The log of one instance.
pub(crate) struct GuestLog {
    owner: Arc<Owner>,
    subject: Subject,
    lines_max: u64,
    line_bytes_max: usize,
    silent: bool,
    lines: u64,
    dropped: u64,
    cut: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    last_words: Vec<u8>,
    tally: Arc<dyn Tally>,
}

macro_rules! emit {
    ($level:expr, $($field:tt)*) => {
        match $level {
            Level::ERROR => tracing::error!(target: "guest", $($field)*),
            Level::WARN => tracing::warn!(target: "guest", $($field)*),
            Level::INFO => tracing::info!(target: "guest", $($field)*),
            Level::DEBUG => tracing::debug!(target: "guest", $($field)*),
            _ => tracing::trace!(target: "guest", $($field)*),
        }
    };
}

impl GuestLog {
    /// With nothing in it; what is dropped or cut off of it is counted in `tally`.
    pub(crate) fn new(
        owner: Arc<Owner>,
        subject: Subject,
        limits: &Limits,
        tally: Arc<dyn Tally>,
    ) -> Self {
        Self {
            owner,
            subject,
            lines_max: limits.log_lines,
            line_bytes_max: usize::try_from(limits.log_line_bytes).unwrap_or(usize::MAX),
            silent: false,
            lines: 0,
            dropped: 0,
            cut: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            last_words: Vec::new(),
            tally,
        }
    }

    /// Begins an activation or attempt: the count of lines starts anew.
    pub(crate) fn begin(&mut self, silent: bool) {
        self.silent = silent;
        self.lines = 0;
        self.dropped = 0;
        self.cut = 0;
        self.last_words = Vec::new();
    }

    /// Ends an activation or attempt: unfinished lines are written, and no buffer is kept.
    pub(crate) fn end(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = std::mem::take(self.buffer(stream));
            if !rest.is_empty() {
                self.finish_line(stream, &rest);
            }
        }
        let (dropped, cut) = (self.dropped, self.cut);
        (self.dropped, self.cut) = (0, 0);
        if dropped > 0 {
            let Owner { scope, plugin, .. } = &*self.owner;
            self.tally.lines_dropped(&scope.tenant, plugin, dropped);
            let what = format!("{dropped} lines were dropped");
            self.over_limit(&what, "log_lines", self.lines_max);
        }
        if cut > 0 {
            let what = format!("{cut} lines were cut off");
            self.over_limit(&what, "log_line_bytes", self.line_bytes_max as u64);
        }
    }

    /// Counts the limit `name`, and tells in the log what it did to it.
    fn over_limit(&self, what: &str, name: &'static str, limit: u64) {
        let Owner { scope, plugin, .. } = &*self.owner;
        self.tally.limit_hit(&scope.tenant, plugin, name);
        self.emit(
            Level::WARN,
            "host",
            &format!(
                "{what}: the limit {name} is {limit}; write less, or have an operator raise {name} in the plugin's grants"
            ),
        );
    }

    /// Takes bytes written to a stream.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr {
            self.keep_last_words(bytes);
        }
        let mut parts = bytes.split(|&byte| byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            // One byte more than is shown: by that it is seen that there was more.
            let room = self
                .line_bytes_max
                .saturating_add(1)
                .saturating_sub(self.buffer(stream).len());
            let kept = &part[..part.len().min(room)];
            self.buffer(stream).extend_from_slice(kept);
            if parts.peek().is_some() {
                let mut line = std::mem::take(self.buffer(stream));
                self.finish_line(stream, &line);
                line.clear();
                *self.buffer(stream) = line;
            }
        }
    }

    /// Takes one line that has a level of its own.
    pub(crate) fn line(&mut self, level: Level, context: &str, message: &str) {
        if self.silent {
            return;
        }
        if self.lines >= self.lines_max {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines += 1;
        if message.len().max(context.len()) > self.line_bytes_max {
            self.cut = self.cut.saturating_add(1);
        }
        let message = printable(message, self.line_bytes_max);
        let context = printable(context, self.line_bytes_max);
        self.emit(level, &context, &message);
    }

    /// What the guest last wrote to stderr, as one line; the panic alone, if there was one.
    pub(crate) fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.last_words);
        let from = text.rfind("thread '").unwrap_or(0);
        let said: Vec<&str> = text[from..]
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("note: run with"))
            .collect();
        printable(&said.join(" "), LAST_WORDS_BYTES_MAX)
    }

    fn buffer(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn finish_line(&mut self, stream: Stream, bytes: &[u8]) {
        let (level, context) = match stream {
            Stream::Stdout => (Level::INFO, "stdout"),
            Stream::Stderr => (Level::WARN, "stderr"),
        };
        self.line(level, context, &String::from_utf8_lossy(bytes));
    }

    fn keep_last_words(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(LAST_WORDS_BYTES_MAX)..];
        self.last_words.extend_from_slice(bytes);
        let excess = self.last_words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
        self.last_words.drain(..excess);
    }

    fn emit(&self, level: Level, context: &str, message: &str) {
        let Owner {
            scope,
            plugin,
            digest,
        } = &*self.owner;
        let (tenant, environment) = (&scope.tenant, &scope.environment);
        match &self.subject {
            Subject::Run(run_id) => {
                emit!(level, %tenant, %environment, %plugin, %digest, %run_id, context, "{message}");
            }
            Subject::Attempt {
                workflow_id,
                run_id,
                activity,
                attempt,
            } => {
                emit!(level, %tenant, %environment, %plugin, %digest, %workflow_id, %run_id, %activity, attempt, context, "{message}");
            }
            Subject::Inspection => {
                emit!(level, %tenant, %environment, %plugin, %digest, context, "{message}");
            }
        }
    }
}

/// `text` cut to `bytes_max`, without control characters: a guest must not write into a terminal or start a line.
fn printable(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end]
        .chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tenterhook_domain::Digest;

    use super::*;

    fn log(line_bytes: u64) -> GuestLog {
        let owner = Owner {
            scope: "acme/production".parse().expect("a scope"),
            plugin: "payment".parse().expect("a name"),
            digest: Digest::of(b""),
        };
        let limits = Limits {
            log_line_bytes: line_bytes,
            ..Limits::default()
        };
        GuestLog::new(Arc::new(owner), Subject::Inspection, &limits, Arc::new(()))
    }

    proptest! {
        /// However the bytes of a stream come, no more of a line is held than is shown of it, and its end is its end.
        #[test]
        fn a_stream_is_lines_however_its_bytes_come(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
            line_bytes in 64_u64..100,
        ) {
            let mut log = log(line_bytes);
            log.begin(false);
            for part in &parts {
                for stream in [Stream::Stdout, Stream::Stderr] {
                    log.write(stream, part);
                    prop_assert!(log.buffer(stream).len() <= log.line_bytes_max + 1);
                }
            }
            let all = parts.concat();
            let mut lines: Vec<_> = all.split(|&byte| byte == b'\n').collect();
            // What nothing stands behind is no line.
            if lines.last().is_some_and(|line| line.is_empty()) {
                lines.pop();
            }
            let words = log.last_words();
            prop_assert!(words.len() <= 3 * LAST_WORDS_BYTES_MAX);
            prop_assert!(!words.contains('\n'));
            log.end();
            prop_assert_eq!(log.lines, 2 * lines.len() as u64);
            prop_assert!(log.stdout.is_empty() && log.stderr.is_empty());
        }

        /// What is shown has no more bytes of the text than it may, whole characters of it, and none that a terminal
        /// would obey.
        #[test]
        fn what_is_shown_is_a_plain_beginning_of_the_text(text in "\\PC{0,40}|[\\x00-\\x{2ff}]{0,40}", most in 0_usize..80) {
            let shown = printable(&text, most);
            prop_assert!(shown.chars().all(|c| !c.is_control() || c == '\t'));
            let kept: String = text.chars().take(shown.chars().count()).collect();
            prop_assert!(kept.len() <= most);
            prop_assert!(kept.len() == text.len() || kept.len() + 4 > most);
        }
    }
}
