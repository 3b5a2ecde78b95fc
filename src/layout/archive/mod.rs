// SPDX-License-Identifier: Apache-2.0

//! Archives of images, read where they are: an image layout as a tar (`oci-archive:`), and what `docker save` writes
//! (`docker-archive:`). Nothing is unpacked: a blob is a span of the file.

mod docker;
mod file;
mod names;
mod open;
pub(super) mod tar;

pub(super) use self::docker::{Item, MANIFEST};
pub(super) use self::file::{Archive, Opened};
pub(super) use self::names::familiar;
pub use self::names::{Format, Packed};
