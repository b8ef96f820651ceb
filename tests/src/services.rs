//! The services that a plugin asks, for its tests in the test kit: the provider stand-in, with a book for each kit.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use tenterhook_testkit::{Kit, Plugin};

use crate::standin::{Book, Operation, StandIn, Switch};

/// The services of one test.
pub struct Services {
    standin: StandIn,
    plugin: &'static str,
    names: &'static [&'static str],
    furnish: fn(&mut Book),
    books: AtomicUsize,
}

/// A kit whose activities run, and the book that its plugin writes into.
pub struct Bench<'a> {
    /// The kit.
    pub kit: Kit,
    services: &'a Services,
    book: String,
}

impl Services {
    /// Opens the services that `plugin` of this repository asks: `names` are those that the stand-in has, and the
    /// plugin's configuration keys without `_url`. `furnish` writes into each book before anything begins.
    ///
    /// # Errors
    /// When no address is free.
    pub async fn open(
        plugin: &'static str,
        names: &'static [&'static str],
        furnish: fn(&mut Book),
    ) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Ok(Self {
            // A sweep has more kits than the sandbox keeps connections, and each kit would keep its own.
            standin: StandIn::start_closing(address).await?,
            plugin,
            names,
            furnish,
            books: AtomicUsize::new(0),
        })
    }

    /// The component that is tested.
    pub fn plugin(&self) -> Plugin {
        Plugin::guest(self.plugin)
    }

    /// A kit, and a furnished book.
    pub fn bench(&self) -> Bench<'_> {
        let mut kit = Kit::new(&self.plugin());
        let book = self.connect(&mut kit);
        Bench {
            kit,
            services: self,
            book,
        }
    }

    /// Has the activities of a kit run, on a furnished book; answers its name.
    pub fn connect(&self, kit: &mut Kit) -> String {
        let book = format!("book-{}", self.books.fetch_add(1, Ordering::Relaxed));
        kit.all_real()
            .grant_http(&self.standin.address().to_string());
        let base = self.standin.base_url(&book);
        for name in self.names {
            kit.configure(&format!("{name}_url"), &format!("{base}/{name}"));
        }
        self.edit(&book, self.furnish);
        book
    }

    /// What is in a book now.
    pub fn book(&self, name: &str) -> Book {
        self.standin.book(name)
    }

    /// Writes into a book.
    pub fn edit<T>(&self, name: &str, act: impl FnOnce(&mut Book) -> T) -> T {
        self.standin.edit(name, act)
    }

    /// Has an operation misbehave for whoever writes into a book.
    pub fn switch(&self, name: &str, operation: Operation, switch: Switch) {
        self.standin.switch(name, operation, switch);
    }
}

impl Bench<'_> {
    /// What is in the book now.
    pub fn book(&self) -> Book {
        self.services.book(&self.book)
    }

    /// Writes into the book.
    pub fn edit<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        self.services.edit(&self.book, act)
    }

    /// Has an operation of the services misbehave.
    pub fn switch(&self, operation: Operation, switch: Switch) {
        self.services.switch(&self.book, operation, switch);
    }
}
