//! The official download, through Core's `ephemeral_server`, which knows Temporal's address,
//! platforms and archives, but has no time-outs and no way to download without starting.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use temporalio_sdk_core::ephemeral_server::{
    EphemeralExe, EphemeralExeVersion, EphemeralServerError, TemporalDevServerConfig,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};

use crate::program::VERSION;

/// A download that brings nothing for this long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(20);
/// A download that takes longer than this is given up.
const DOWNLOAD_WITHIN: Duration = Duration::from_secs(600);
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error("nothing arrived for {STALLED_AFTER:?}")]
    Stalled,
    #[error("it took longer than {DOWNLOAD_WITHIN:?}")]
    TooLong,
    #[error("cannot use the folder {folder:?}: {source}")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("{0}")]
    Failed(String),
}

/// Downloads the program to `cached`, all of it or nothing.
pub(crate) async fn fetch(cached: &Path) -> Result<(), DownloadError> {
    let target = cached.parent().unwrap_or(cached);
    // A folder of this attempt's own: two processes do not wait for one another, and what an
    // attempt given up leaves behind is removed with it.
    let folder = target.join(format!(".download-{}", std::process::id()));
    let failed = |source| DownloadError::Folder {
        folder: folder.clone(),
        source,
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    tracing::info!(version = VERSION, "downloading Temporal's dev server");
    let fetched = match fetch_into(&folder).await {
        Ok(program) => fs::rename(program, cached).map_err(failed),
        Err(error) => Err(error),
    };
    if let Err(error) = fs::remove_dir_all(&folder) {
        tracing::warn!(%error, ?folder, "cannot remove what a download left behind");
    }
    fetched
}

/// Runs Core's downloader and watches what arrives in `folder`.
async fn fetch_into(folder: &Path) -> Result<PathBuf, DownloadError> {
    let program = folder.join(format!("temporal-v{VERSION}"));
    let (give_up, mut failure) = spawn_downloader(folder)?;
    let begun = Instant::now();
    let mut progress = (0, begun);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let fetched = loop {
        let ended = tokio::select! {
            ended = &mut failure => Some(ended),
            _ = look.tick() => None,
        };
        // Core renames the file into place when it is whole.
        if program.is_file() {
            break Ok(program);
        }
        if let Some(ended) = ended {
            let cause = ended.unwrap_or_else(|_| "the downloader broke off".to_owned());
            break Err(DownloadError::Failed(cause));
        }
        let bytes = bytes_in(folder);
        if bytes != progress.0 {
            progress = (bytes, Instant::now());
        }
        if progress.1.elapsed() > STALLED_AFTER {
            break Err(DownloadError::Stalled);
        }
        if begun.elapsed() > DOWNLOAD_WITHIN {
            break Err(DownloadError::TooLong);
        }
    };
    drop(give_up);
    fetched
}

/// The downloader, on a runtime of its own: Core unpacks on a blocking thread that reads from the
/// network without a time-out, and a runtime waits for its blocking threads when it ends. This
/// one is left behind instead. Dropping the sender gives up; the receiver tells why it ended.
fn spawn_downloader(
    folder: &Path,
) -> Result<(oneshot::Sender<()>, oneshot::Receiver<String>), DownloadError> {
    let failed = |source| DownloadError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let folder_name = folder.to_str().map(str::to_owned);
    let folder_name = folder_name
        .ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidInput, "not UTF-8")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(failed)?;
    let (give_up, given_up) = oneshot::channel::<()>();
    let (ended, failure) = oneshot::channel();
    thread::Builder::new()
        .name("temporal-download".to_owned())
        .spawn(move || {
            let cause = runtime.block_on(async {
                tokio::select! {
                    result = download(folder_name) => result.err(),
                    _ = given_up => None,
                }
            });
            runtime.shutdown_background();
            let cause = cause.map_or_else(|| "it brought no program".to_owned(), with_sources);
            // Nobody listens when it was given up.
            ended.send(cause).ok();
        })
        .map_err(failed)?;
    Ok((give_up, failure))
}

/// Core only downloads in order to start, so it starts something harmless: the help text.
async fn download(folder: String) -> Result<(), EphemeralServerError> {
    let exe = EphemeralExe::CachedDownload {
        version: EphemeralExeVersion::Fixed(format!("v{VERSION}")),
        dest_dir: Some(folder),
        ttl: None,
    };
    let config = TemporalDevServerConfig::builder()
        .exe(exe)
        .extra_args(vec!["--help".to_owned()])
        .build();
    config
        .start_server_with_output(Stdio::null(), Stdio::null())
        .await
        .map(drop)
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|file| file.len())
        .sum()
}

/// The error with its causes on one line: Core's own message only says that it failed.
fn with_sources(error: EphemeralServerError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
