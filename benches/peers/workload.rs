// SPDX-License-Identifier: Apache-2.0

//! What is copied.

use serde::Serialize;

use crate::place::Mode;
use crate::support::corpus::{Corpus, Families, MultiArch};
use crate::tool::Tool;

/// Two families of three repositories with seven tags each: per family 10 common layers, per repository
/// one more, per image a small one. 42 tags, 110 blobs, 73 MB; as repositories see it, 150 blobs.
const FAMILIES: Families = Families {
    families: 2,
    repositories: 3,
    tags: 7,
    shared_layers: 10,
    layer_size: 2_000_000,
};

/// 12 indexes of six platforms, each platform with its attestation and SBOM, each index signed in both ways.
const MULTI_ARCH: MultiArch = MultiArch {
    repositories: 3,
    tags: 4,
    layers: 2,
    layer_size: 200_000,
};

/// The one layer of the large image, in bytes.
const LARGE_LAYER: usize = 400_000_000;

/// Tags of the repository of small images.
const SMALL_TAGS: usize = 300;

/// A layer of a small image, in bytes.
const SMALL_LAYER: usize = 8_000;

/// Tags of the repository that goes to a registry with a limit.
const LIMITED_TAGS: usize = 30;

/// How many registries a fan-out goes to.
const FAN_OUT: usize = 3;

/// A kind of content, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// Repositories whose images share layers.
    Families,
    /// Six-platform indexes with attestations, signatures and SBOMs.
    MultiArch,
    /// One image with one large layer.
    Large,
    /// The same large image to three registries.
    FanOut,
    /// Many tags of small images.
    SmallTags,
    /// Some tags of small images, to a registry that limits requests and does not say so.
    Limited,
}

/// How much of the full size is used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Scale(pub(crate) f64);

impl Workload {
    /// All of them, in the order they are run.
    pub(crate) const ALL: [Self; 6] = [
        Self::Families,
        Self::MultiArch,
        Self::SmallTags,
        Self::Large,
        Self::FanOut,
        Self::Limited,
    ];

    /// Its name in arguments and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Families => "families",
            Self::MultiArch => "multi-arch",
            Self::Large => "large",
            Self::FanOut => "fan-out",
            Self::SmallTags => "small-tags",
            Self::Limited => "thirty-tags",
        }
    }

    /// How many registries it is copied to.
    pub(crate) fn destinations(self) -> usize {
        match self {
            Self::FanOut => FAN_OUT,
            Self::Families | Self::MultiArch | Self::Large | Self::SmallTags | Self::Limited => 1,
        }
    }

    /// Where the registries are. A proxy in this process would narrow a large layer, not only delay it.
    pub(crate) fn modes(self) -> &'static [Mode] {
        match self {
            Self::Families | Self::MultiArch | Self::SmallTags => {
                &[Mode::Loopback, Mode::Delay, Mode::Tls, Mode::TlsDelay]
            }
            Self::Limited => &[Mode::Limited],
            Self::Large | Self::FanOut => &[Mode::Loopback],
        }
    }

    /// Whether a tool is measured with it. Most of them do not survive a limit.
    pub(crate) fn suits(self, tool: Tool) -> bool {
        self != Self::Limited || tool.is_ours() || tool == Tool::Regsync
    }

    /// Makes the content: the same every time.
    pub(crate) fn build(self, scale: Scale) -> Corpus {
        match self {
            Self::Families => Families {
                tags: scale.of(FAMILIES.tags),
                layer_size: scale.of(FAMILIES.layer_size),
                ..FAMILIES
            }
            .build(1),
            Self::MultiArch => MultiArch {
                tags: scale.of(MULTI_ARCH.tags),
                layer_size: scale.of(MULTI_ARCH.layer_size),
                ..MULTI_ARCH
            }
            .build(2),
            Self::Large | Self::FanOut => Corpus::large(3, scale.of(LARGE_LAYER)),
            Self::SmallTags => Corpus::small_tags(4, scale.of(SMALL_TAGS), scale.of(SMALL_LAYER)),
            Self::Limited => Corpus::small_tags(5, scale.of(LIMITED_TAGS), scale.of(SMALL_LAYER)),
        }
    }
}

impl Scale {
    /// A number of bytes or tags at this scale, at least two: one tag would show nothing of sharing.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "sizes of content are far below 2^52 and not negative"
    )]
    fn of(self, full: usize) -> usize {
        ((full as f64 * self.0) as usize).max(2)
    }
}
