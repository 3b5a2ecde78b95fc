// SPDX-License-Identifier: Apache-2.0

//! Archives of images, read where they are: an image layout as a tar (`oci-archive:`), and what `docker save` writes
//! (`docker-archive:`). Nothing is unpacked: a blob is a span of the file.

mod docker;
mod file;
mod frames;
mod names;
mod open;
mod stored;
pub(super) mod tar;
mod volume;
mod writer;

pub(super) use self::docker::{Item, MANIFEST};
pub(super) use self::file::{Archive, Opened, Reading, blob_digest};
pub(super) use self::names::familiar;
pub use self::names::{Format, Packed};
pub use self::writer::ArchiveForm;
pub(super) use self::writer::Writer;
