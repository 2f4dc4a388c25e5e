//! Typed tables and indexes on sled, rebuildable from the journal.
//!
//! The store is a view: whatever it holds was computed from journal lines, and
//! [`Store::applied_seq`] names the last of them. It may be thrown away at any time.
//!
//! # Why it need not survive a power cut
//!
//! sled 0.34 does not reach the platter on Linux: its `flush` calls sync_file_range(2), which neither
//! flushes the drive's cache nor the file's size. Projects that acknowledge from sled interpose that
//! call with fdatasync. Here the journal is the durability point, one fdatasync per group, before the
//! store hears of it; the store's flush is a checkpoint that only shortens the replay. After a cut
//! sled either opens in an earlier state, whose `applied_seq` fits because it was written together
//! with the rest (`redo.rs`), and the journal is replayed from there; or it does not open, and is
//! rebuilt. A second fdatasync per group would buy nothing.
//!
//! # Layout
//!
//! Everything stands in one sled tree, beside it the notes of `redo.rs`. The first byte of a key says
//! what it is; then come components in an encoding that keeps their order, whatever bytes they hold:
//!
//! | key | value |
//! |---|---|
//! | `m` name | schema number; applied sequence number; the mark of a fill that has not ended |
//! | `r` table, id | area, owner; by LZ4 the record's JSON and its index keys |
//! | `i` index, part, sort, id | area, owner |
//! | `c` index, part | number of entries, from 2 on |
//! | `v` root | sequence number of the line that last touched it |

mod bulk;
mod change;
mod compare;
mod error;
mod filling;
mod key;
mod layer;
mod open;
mod page;
mod rebuild;
mod redo;
mod spill;
mod store;
mod swap;
mod value;

pub use bulk::Bulk;
pub use compare::{Comparison, Difference};
pub use error::StoreError;
pub use open::{Emptied, Opened, Options};
pub use page::{COUNT_ROWS_MAX, PAGE_ITEMS_MAX, PAGE_ROWS_MAX, Page, PageQuery};
pub use rebuild::rebuild;
pub use store::{Prepared, Store};
pub use swap::{Beside, Retired, folder_in_use, settle};
