// SPDX-License-Identifier: Apache-2.0

//! Classes of requests: what is counted, limited and paused together.

/// What a request does, as far as limits are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Asks whether something is there, or lists it.
    Lookup,
    /// Reads a manifest: what Docker Hub counts as a pull.
    ManifestRead,
    /// Writes a manifest.
    ManifestWrite,
    /// Deletes a manifest or a tag.
    ManifestDelete,
    /// Reads a blob.
    BlobRead,
    /// Announces a blob.
    UploadStart,
    /// Writes a blob.
    Upload,
}

/// One value for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PerClass<T>([T; Class::ALL.len()]);

impl Class {
    /// Every class, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Lookup,
        Self::ManifestRead,
        Self::ManifestWrite,
        Self::ManifestDelete,
        Self::BlobRead,
        Self::UploadStart,
        Self::Upload,
    ];

    /// Its name, as metrics show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::ManifestRead => "manifest_read",
            Self::ManifestWrite => "manifest_write",
            Self::ManifestDelete => "manifest_delete",
            Self::BlobRead => "blob_read",
            Self::UploadStart => "upload_start",
            Self::Upload => "upload",
        }
    }

    /// Whether both such requests and their answers are small: many of them fit on one connection.
    pub(super) fn asks_for_little(self) -> bool {
        match self {
            Self::Lookup | Self::ManifestRead => true,
            Self::ManifestWrite
            | Self::ManifestDelete
            | Self::BlobRead
            | Self::UploadStart
            | Self::Upload => false,
        }
    }

    /// Whether such requests change the registry.
    pub(super) fn is_write(self) -> bool {
        match self {
            Self::ManifestWrite | Self::ManifestDelete | Self::UploadStart | Self::Upload => true,
            Self::Lookup | Self::ManifestRead | Self::BlobRead => false,
        }
    }
}

impl<T> PerClass<T> {
    /// The value of each class as `make` says.
    pub(super) fn new(make: impl FnMut(Class) -> T) -> Self {
        Self(Class::ALL.map(make))
    }

    /// The value of one class.
    pub(super) fn of(&self, class: Class) -> &T {
        &self.0[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_value_of_its_own() {
        let names = PerClass::new(|class| class);
        assert!(Class::ALL.iter().all(|class| names.of(*class) == class));
    }
}
