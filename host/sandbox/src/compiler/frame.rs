//! What host and compiler say to each other: lengths and bytes, within a time.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

/// Largest message that is no component and no code, in bytes.
const VALUE_BYTES_MAX: u64 = 64 * 1024;
/// How much is written, or read, at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// One end of the socket.
pub(super) struct Wire {
    stream: UnixStream,
    until: Option<Instant>,
}

impl Wire {
    /// The end `stream`, where everything must be said within `time`, if there is one.
    pub(super) fn new(stream: UnixStream, time: Option<Duration>) -> Self {
        let until = time.map(|time| Instant::now() + time);
        Self { stream, until }
    }

    pub(super) fn write_value(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.write(&serde_json::to_vec(value)?)
    }

    pub(super) fn read_value<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        Ok(serde_json::from_slice(&self.read(VALUE_BYTES_MAX)?)?)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        for part in [&length.to_le_bytes(), bytes] {
            for chunk in part.chunks(CHUNK_BYTES) {
                self.stream.set_write_timeout(self.left()?)?;
                self.stream.write_all(chunk).map_err(timed_out)?;
            }
        }
        Ok(())
    }

    /// The next message.
    ///
    /// # Errors
    /// `TimedOut` when time is up, `InvalidData` when it has more than `bytes_max`, otherwise that the other end is
    /// gone.
    pub(super) fn read(&mut self, bytes_max: u64) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > bytes_max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let start = bytes.len();
            bytes.resize(length.min(start + CHUNK_BYTES), 0);
            self.read_exact(&mut bytes[start..])?;
        }
        Ok(bytes)
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read_exact(bytes).map_err(timed_out)
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(until) = self.until else {
            return Ok(None);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Some(left))
    }
}

/// Sockets say `WouldBlock` when their time is up.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock {
        return io::ErrorKind::TimedOut.into();
    }
    error
}
