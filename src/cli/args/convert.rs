// SPDX-License-Identifier: Apache-2.0

//! `convert`: the file of another tool.

use std::path::PathBuf;

use clap::builder::{FalseyValueParser, PossibleValue};
use clap::{Args, ValueEnum};

use super::common::RegistryArgs;
use crate::convert::{Form, Prefix};

/// `transship convert`
#[derive(Debug, Args)]
#[command(after_help = "\
What has no counterpart stands as a comment in the output and on standard error, and the exit code is 1. \
Credentials are not taken over: a Secret with CHANGE-ME stands where they belong.

Examples:
  transship convert regsync regsync.yml > mirrors.yaml
  transship convert skopeo sync.yaml --to registry.example.com/mirror
  transship convert regsync regsync.yml --check
  kustomize build . | transship convert flux - --to registry.example.com/mirror")]
pub struct ConvertArgs {
    /// The tool whose file it is.
    #[arg(value_name = "FORM")]
    pub form: Form,
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
    /// Print no documents, but which tags the tool takes by its own rules and which these documents, of those that are there by now.
    #[arg(long, env = "TRANSSHIP_CONVERT_CHECK", value_parser = FalseyValueParser::new())]
    pub check: bool,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

// === impl Form ===

impl ValueEnum for Form {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.file()))
    }
}
