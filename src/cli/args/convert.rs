//! `convert`: the file of another tool.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::convert::{Form, Prefix};

/// `transship convert`
#[derive(Debug, Args)]
#[command(after_help = "\
What has no counterpart stands as a comment in the output and on standard error, and the exit code is 1.
Credentials are not taken over: a Secret with CHANGE-ME stands where they belong.

Examples:
  transship convert regsync regsync.yml > mirrors.yaml
  transship convert skopeo sync.yaml --to registry.example.com/mirror
  kustomize build . | transship convert flux - --to registry.example.com/mirror")]
pub struct ConvertArgs {
    /// The tool whose file it is.
    #[arg(value_name = "FORM")]
    pub form: FormName,
    /// The file; - is standard input.
    pub file: PathBuf,
    /// Where to copy from, where the file does not say so: harbor.
    #[arg(long, value_name = "REGISTRY[/PREFIX]", env = "TRANSSHIP_CONVERT_FROM")]
    pub from: Option<Prefix>,
    /// Where to copy to, where the file does not say so: skopeo, image-syncer, oc-mirror, flux, harbor, zot.
    #[arg(long, value_name = "REGISTRY[/PREFIX]", env = "TRANSSHIP_CONVERT_TO")]
    pub to: Option<Prefix>,
    /// Put the name of the source registry in front of repositories, as skopeo sync --scoped does.
    #[arg(long, env = "TRANSSHIP_CONVERT_SCOPED")]
    pub scoped: bool,
}

/// The tools whose files are read.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FormName {
    /// regsync.yml of regclient.
    Regsync,
    /// The YAML of skopeo sync --src yaml.
    Skopeo,
    /// The configuration of dregsy.
    Dregsy,
    /// The images, or the whole configuration, of image-syncer.
    ImageSyncer,
    /// The configuration of ocync.
    Ocync,
    /// An `ImageSetConfiguration` of oc-mirror.
    OcMirror,
    /// `ImageRepository` and `ImagePolicy` of Flux.
    Flux,
    /// The Config of flux-mirror.
    FluxMirror,
    /// Replication policies of Harbor, as its API writes them.
    Harbor,
    /// The configuration of zot with its sync extension.
    Zot,
}

// === impl FormName ===

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Regsync => Self::Regsync,
            FormName::Skopeo => Self::Skopeo,
            FormName::Dregsy => Self::Dregsy,
            FormName::ImageSyncer => Self::ImageSyncer,
            FormName::Ocync => Self::Ocync,
            FormName::OcMirror => Self::OcMirror,
            FormName::Flux => Self::Flux,
            FormName::FluxMirror => Self::FluxMirror,
            FormName::Harbor => Self::Harbor,
            FormName::Zot => Self::Zot,
        }
    }
}
