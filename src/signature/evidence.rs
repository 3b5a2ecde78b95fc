// SPDX-License-Identifier: Apache-2.0

//! What a registry holds beside an image.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::oci::Digest;

/// One thing that may prove something of an image, as it was found. Nothing of it is trusted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A Sigstore bundle: the layer of a referrer.
    Bundle {
        /// The digest that goes on record: that of the manifest that carries the bundle.
        digest: Digest,
        /// The bundle, JSON.
        bytes: Bytes,
    },
    /// A layer of a `.sig` tag: a simple-signing payload, with the signature in its annotations.
    Simple(Layer),
    /// A layer of an `.att` tag: a DSSE envelope with its own signature.
    Envelope(Layer),
}

/// A layer of one of cosign's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest that goes on record: that of the manifest that carries the layer.
    pub digest: Digest,
    /// The content of the layer.
    pub payload: Bytes,
    /// `dev.cosignproject.cosign/signature`: base64.
    pub signature: Option<String>,
    /// `dev.sigstore.cosign/certificate`: PEM.
    pub certificate: Option<String>,
    /// `dev.sigstore.cosign/chain`: PEM, several certificates.
    pub chain: Option<String>,
    /// `dev.sigstore.cosign/bundle`: the entry of the transparency log, JSON.
    pub log_entry: Option<String>,
    /// `dev.sigstore.cosign/rfc3161timestamp`: a signed timestamp, JSON.
    pub timestamp: Option<String>,
}

// === impl Evidence ===

impl Evidence {
    /// The bytes of all of it.
    pub fn size(&self) -> usize {
        match self {
            Self::Bundle { bytes, .. } => bytes.len(),
            Self::Simple(layer) | Self::Envelope(layer) => layer.size(),
        }
    }

    /// The digest by which it is told and goes on record.
    pub const fn digest(&self) -> &Digest {
        match self {
            Self::Bundle { digest, .. } => digest,
            Self::Simple(layer) | Self::Envelope(layer) => &layer.digest,
        }
    }
}

// === impl Layer ===

impl Layer {
    /// A layer with the annotations of its descriptor.
    pub fn new(digest: Digest, payload: Bytes, annotations: &BTreeMap<String, String>) -> Self {
        let annotation = |name: &str| {
            annotations
                .get(name)
                .filter(|text| !text.is_empty())
                .cloned()
        };
        Self {
            digest,
            payload,
            signature: annotation("dev.cosignproject.cosign/signature"),
            certificate: annotation("dev.sigstore.cosign/certificate"),
            chain: annotation("dev.sigstore.cosign/chain"),
            log_entry: annotation("dev.sigstore.cosign/bundle"),
            timestamp: annotation("dev.sigstore.cosign/rfc3161timestamp"),
        }
    }
    /// The bytes of all of it.
    pub(super) fn size(&self) -> usize {
        let Self {
            digest: _,
            payload,
            signature,
            certificate,
            chain,
            log_entry,
            timestamp,
        } = self;
        let annotations = [signature, certificate, chain, log_entry, timestamp];
        let annotations = annotations.into_iter().flatten().map(String::len);
        payload.len() + annotations.sum::<usize>()
    }
}
