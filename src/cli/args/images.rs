// SPDX-License-Identifier: Apache-2.0

//! `images`: what manifests and clusters run.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::common::Format;
use crate::controller::workloads::Extra;
use crate::convert::Prefix;

/// `transship images`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  helm template my-release ./chart | transship images -
  transship images -f manifests/ -o name
  kustomize build . | transship images - -o mirror --to registry.example.com/mirror > mirrors.yaml
  transship images --from-cluster
  transship images -f clusters/ --field spec.agentImage

Listed is what nodes pull: of pods and all that makes them, also inside of custom resources, and any text under \
image or imageName of these. Not what an operator adds by itself, nor what stands in arguments and ConfigMaps.")]
pub struct ImagesArgs {
    /// Files or directories with manifests, as YAML or JSON; - is stdin.
    #[arg(value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// The same.
    #[arg(
        short,
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_FILENAME",
        value_name = "FILE|DIR"
    )]
    pub filename: Vec<PathBuf>,
    /// Ask the cluster of the kubeconfig what runs there, in all namespaces.
    #[arg(long, env = "TRANSSHIP_IMAGES_FROM_CLUSTER", value_parser = FalseyValueParser::new())]
    pub from_cluster: bool,
    /// Read where the cluster is from this file [default: KUBECONFIG, ~/.kube/config, or the pod's own].
    #[arg(long, env = "TRANSSHIP_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Use this context of the file [default: the current one].
    #[arg(long, env = "TRANSSHIP_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// List these kinds of the cluster, too, such as scaledjobs.keda.sh.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IN_USE_EXTRA",
        value_name = "RESOURCE[.GROUP]"
    )]
    pub in_use_extra: Vec<Extra>,
    /// Fields of custom resources that hold an image, too, by name or the end of their path, such as spec.agentImage.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IMAGES_FIELD",
        value_name = "FIELD"
    )]
    pub field: Vec<String>,
    /// Where to copy to, with -o mirror.
    #[arg(long, value_name = "REGISTRY[/PREFIX]", env = "TRANSSHIP_IMAGES_TO")]
    pub to: Option<Prefix>,
    /// Put the name of the source registry in front of repositories, with -o mirror.
    #[arg(long, env = "TRANSSHIP_IMAGES_SCOPED", value_parser = FalseyValueParser::new())]
    pub scoped: bool,
    /// How results are printed: table, wide, name, mirror, json or yaml.
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        env = "TRANSSHIP_OUTPUT",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub output: ImagesFormat,
}

// === impl ImagesArgs ===

impl ImagesArgs {
    /// Where images are looked for, as it was written.
    pub(in super::super) fn subject(&self) -> String {
        let files = self.files.iter().chain(&self.filename);
        let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
        if files.is_empty() {
            return "the cluster".to_owned();
        }
        files.join(", ")
    }
}

/// How images are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ImagesFormat {
    /// For people.
    #[default]
    Table,
    /// A line for each field that names an image.
    Wide,
    /// Only the images, one a line.
    Name,
    /// Mirrors for the images.
    Mirror,
    /// JSON, and nothing else on stdout.
    Json,
    /// YAML, and nothing else on stdout.
    Yaml,
}

// === impl ImagesFormat ===

impl ImagesFormat {
    /// That of a document in its place.
    pub(in super::super) fn document(self) -> Format {
        match self {
            Self::Table | Self::Name | Self::Mirror => Format::Table,
            Self::Wide => Format::Wide,
            Self::Json => Format::Json,
            Self::Yaml => Format::Yaml,
        }
    }
}
