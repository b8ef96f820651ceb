//! Lists come in pages.

use tenterhook_domain::{Result, execution::Page};

/// Most entries of one page, whatever is asked for.
pub const PAGE_ITEMS_MAX: usize = 1_000;

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<'a> {
    /// The `next` of the page before, `None` for the first.
    pub after: Option<&'a str>,
    /// Entries wanted, 1 to [`PAGE_ITEMS_MAX`]; other numbers are brought into this range.
    pub limit: usize,
}

impl Cursor<'_> {
    /// The first page, as long as a page may be.
    pub const FIRST: Cursor<'static> = Cursor {
        after: None,
        limit: PAGE_ITEMS_MAX,
    };

    pub(crate) fn limit(&self) -> usize {
        self.limit.clamp(1, PAGE_ITEMS_MAX)
    }

    /// What to ask the database for: one more than the page holds shows whether there is a next page.
    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.limit() + 1).unwrap_or(i64::MAX)
    }

    /// Makes the page of `rows`; `key` gives the cursor of an entry.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        let more = rows.len() > self.limit();
        rows.truncate(self.limit());
        let next = rows.last().filter(|_| more).map(key);
        Page { items: rows, next }
    }

    /// The same of rows that are still to be read.
    pub(crate) fn read_page<R, T>(
        &self,
        rows: Vec<R>,
        key: impl Fn(&R) -> String,
        read: impl FnMut(R) -> Result<T>,
    ) -> Result<Page<T>> {
        let Page { items, next } = self.page(rows, key);
        let items = items.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Page { items, next })
    }
}
