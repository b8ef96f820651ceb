//! The child's log file: bounded, and quoted from when the child does not start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// A log over this size is set aside before the next start; the one before it is dropped.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How much of the log an error quotes.
const TAIL_BYTES_MAX: usize = 2 * 1024;
/// How much of the log's end is read for that.
const READ_BYTES_MAX: u64 = 256 * 1024;
/// What a Go program that panics writes after its reason.
const TRACE: &str = "\ngoroutine ";

/// One run's part of the log file.
#[derive(Debug)]
pub(crate) struct RunLog {
    path: PathBuf,
    start: u64,
}

impl RunLog {
    /// Opens `path` for appending, setting a grown file aside, and remembers where this run begins.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, File)> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        if std::fs::metadata(path).is_ok_and(|log| log.len() > LOG_BYTES_MAX) {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            std::fs::rename(path, old)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let start = file.metadata()?.len();
        Ok((
            Self {
                path: path.to_owned(),
                start,
            },
            file,
        ))
    }

    /// The end of what this run wrote, without the stack traces of a panic; empty when it wrote nothing or cannot be
    /// read.
    pub(crate) fn tail(&self) -> String {
        self.read_tail().unwrap_or_default()
    }

    fn read_tail(&self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        let from = self.start.max(length.saturating_sub(READ_BYTES_MAX));
        file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        file.take(READ_BYTES_MAX).read_to_end(&mut end)?;
        let end = String::from_utf8_lossy(&end);
        let said = end.split(TRACE).next().unwrap_or_default().trim();
        let from = said.floor_char_boundary(said.len().saturating_sub(TAIL_BYTES_MAX));
        Ok(said[from..].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_run_quotes_only_itself_and_a_grown_file_is_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/temporal.log");
        let (_, mut file) = RunLog::open(&path).expect("opens");
        writeln!(file, "earlier run").expect("writes");
        let (log, mut file) = RunLog::open(&path).expect("opens");
        assert_eq!(log.tail(), "");
        writeln!(file, "port in use").expect("writes");
        assert_eq!(log.tail(), "port in use");
        let trace = "\tserver.go:1\n".repeat(10_000);
        writeln!(file, "\ngoroutine 1 [running]:\n{trace}").expect("writes");
        assert_eq!(log.tail(), "port in use");

        file.set_len(LOG_BYTES_MAX + 1).expect("grows");
        let (log, mut file) = RunLog::open(&path).expect("opens");
        write!(file, "{}", "x".repeat(10_000)).expect("writes");
        assert_eq!(log.tail().len(), TAIL_BYTES_MAX);
        assert!(folder.path().join("deep/temporal.log.old").exists());
    }
}
