// SPDX-License-Identifier: Apache-2.0

//! How a registry is spoken to.

/// What has to be said of a registry before it is reached, as far as that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Speech {
    /// Nothing: HTTPS, by the authorities of the system.
    #[default]
    Usual,
    /// Whom to trust.
    PrivateAuthority,
    /// That it is plain HTTP.
    PlainHttp,
    /// The same, which nobody has said: whoever is on the way could have answered.
    PerhapsPlainHttp,
}

// === impl Speech ===

impl Speech {
    /// The same as a person has said it who was told.
    pub(super) fn confirmed(self) -> Self {
        match self {
            Self::PerhapsPlainHttp => Self::PlainHttp,
            Self::Usual | Self::PrivateAuthority | Self::PlainHttp => self,
        }
    }
}
