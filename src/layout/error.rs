//! What goes wrong between us and a tree of layouts.

/// Why an operation on a tree of layouts failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("skeleton")]
pub struct Error;

/// What an error means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The repository, manifest or blob does not exist.
    NotFound,
    /// The file system refused or failed.
    Io,
    /// There is no room left.
    Full,
    /// The content is not what its digest or size says.
    DigestMismatch,
    /// A file of the layout makes no sense.
    Corrupt,
    /// The layout cannot be used: a newer version, or a name that no directory can have.
    Refused,
    /// The body to write broke off.
    Interrupted,
}

impl Error {
    /// What the error means for the one who asked.
    pub fn kind(&self) -> Kind {
        Kind::Io
    }
}
