// SPDX-License-Identifier: Apache-2.0

//! The names of a reference: registry, repository, tag (distribution specification, pulling manifests).

/// What every kind of name is to other code: text that is checked on its way in.
macro_rules! text_traits {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
    )*};
}

mod error;
mod host;
mod registry;
mod repository;
mod tag;

pub(crate) use error::refuse_scheme;
pub use error::{NameError, NameKind};
pub use registry::Registry;
pub use repository::{Repository, check_alone};
pub use tag::{Attachment, Tag};
