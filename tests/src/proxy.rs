//! A way to a server that can be cut: what stands between is the tests' own.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Bytes pass.
    Open,
    /// Connections are broken off, and new ones too.
    Cut,
    /// Connections stand, and nothing passes: what a lost network looks like for minutes.
    Silent,
}

/// A TCP proxy on 127.0.0.1. Dropping it breaks all connections off.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    turned_away: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and passes connections on to `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (way, seen) = watch::channel(Way::Open);
        let (count, turned_away) = watch::channel(0);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *seen.borrow() == Way::Cut {
                    count.send_modify(|count| *count += 1);
                }
                tokio::spawn(pass(stream, target, seen.clone()));
            }
        });
        Ok(Self {
            address,
            way,
            turned_away,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection off, and every new one, until [`Proxy::mend`].
    pub fn cut(&self) {
        self.way.send_replace(Way::Cut);
    }

    /// Waits until so many connections more were broken off at their very beginning.
    pub async fn turned_away(&self, number: usize) {
        let mut seen = self.turned_away.clone();
        let enough = *seen.borrow_and_update() + number;
        // An error says that nothing is accepted any more.
        let _ = seen.wait_for(|&count| count >= enough).await;
    }

    /// Lets connections stand and passes nothing, until [`Proxy::mend`].
    pub fn silence(&self) {
        self.way.send_replace(Way::Silent);
    }

    /// Connections that come from now on pass. Those that were silent are broken off.
    pub fn mend(&self) {
        self.way.send_replace(Way::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut stream: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) {
    let before = *way.borrow_and_update();
    if before == Way::Open
        && let Ok(mut other) = TcpStream::connect(target).await
    {
        tokio::select! {
            // How it ended is for both ends to see.
            _ = copy_bidirectional(&mut stream, &mut other) => return,
            _ = way.changed() => {}
        }
    }
    // Silent: held open until the way changes again. An error says that the proxy is gone.
    while *way.borrow_and_update() == Way::Silent {
        if way.changed().await.is_err() {
            return;
        }
    }
}
