// SPDX-License-Identifier: Apache-2.0

//! Choosing: which repositories and tags are meant, which versions are the newest, and when to look
//! again; and what a text is made like. Every rule a person writes is parsed into a type here; every
//! tag that is left out gets a reason. Pure: no I/O, no clock, no logging.

pub mod duration;
pub mod extract;
pub mod glob;
pub mod natural;
mod number;
pub mod pattern;
pub mod range;
pub mod schedule;
pub mod select;
pub mod text_glob;
pub mod text_template;
pub mod version;

pub use duration::Duration;
pub use extract::Extract;
pub use glob::{RepositoryGlob, TagGlob};
pub use pattern::Pattern;
pub use range::Range;
pub use schedule::Schedule;
pub use select::{Exclusion, Rules};
pub use text_glob::TextGlob;
pub use text_template::{TextTemplate, TextTemplateError};
pub use version::Version;
