// SPDX-License-Identifier: Apache-2.0

//! Credentials: `login` and `logout`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::common::RegistryArgs;
use crate::oci::Registry;

/// `transship login`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship login registry.example.com --username me --password-stdin < token
  transship login -u me docker.io                 asks for the password

The credential is kept where `docker login` keeps it: by the helper that the Docker config names \
for the registry, else in the config itself. docker, podman, crane and skopeo read it there, too.")]
pub struct LoginArgs {
    /// The registry; Docker Hub is docker.io.
    #[arg(value_name = "REGISTRY")]
    pub host: Registry,
    /// Who.
    #[arg(short, long, env = "TRANSSHIP_LOGIN_USERNAME", value_name = "NAME")]
    pub username: String,
    /// Read the password or token from standard input, to its end.
    #[arg(long, env = "TRANSSHIP_LOGIN_PASSWORD_STDIN", value_parser = FalseyValueParser::new())]
    pub password_stdin: bool,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship logout`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  transship logout registry.example.com")]
pub struct LogoutArgs {
    /// The registry; Docker Hub is docker.io.
    #[arg(value_name = "REGISTRY")]
    pub host: Registry,
}
