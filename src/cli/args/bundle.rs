// SPDX-License-Identifier: Apache-2.0

//! Images of mirrors in one file: `bundle`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::common::{OutputArgs, RegistryArgs};

/// The smallest part that a bundle is split into, in bytes.
const LEAST_PART: u64 = 1024 * 1024;
/// Units of sizes, the longest names first.
const UNITS: [(&str, u64); 12] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
];

/// `transship bundle`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship bundle create -f mirror.yaml out.tar   where the sources are reached
  transship bundle verify out.tar                  did all of it arrive?
  transship bundle load -f mirror.yaml out.tar     where the destinations are reached

A bundle is an OCI image layout in a tar: skopeo, crane and oras read it.")]
pub struct BundleArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BundleCommand,
}

/// What to do with a bundle.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Write what mirrors would copy into one file.
    Create(CreateBundleArgs),
    /// Copy what is in a bundle to the destinations of mirrors.
    Load(LoadBundleArgs),
    /// List the images of a bundle.
    Ls(ListBundleArgs),
    /// Read every byte of a bundle, and look whether all that its manifests name is there.
    Verify(VerifyBundleArgs),
}

/// Which mirrors a bundle is about.
#[derive(Debug, Args)]
pub struct BundledMirrorArgs {
    /// Files or directories with mirrors, policies and Secrets, as YAML or JSON; - is stdin.
    #[arg(
        short,
        long,
        required = true,
        value_delimiter = ',',
        env = "TRANSSHIP_FILENAME",
        value_name = "FILE|DIR"
    )]
    pub filename: Vec<PathBuf>,
    /// Put variables of the environment where the files say ${NAME} or ${NAME:-default}.
    #[arg(long, env = "TRANSSHIP_SET_ENV", value_parser = FalseyValueParser::new())]
    pub set_env: bool,
    /// Only these mirrors, by name or namespace/name.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_MIRROR",
        value_name = "NAME"
    )]
    pub mirror: Vec<String>,
    /// Remember in this file what was written, from one run to the next; a file of its own on each side.
    #[arg(long, env = "TRANSSHIP_STATE", value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// Who must have signed a bundle.
#[derive(Debug, Args)]
pub struct SignedByArgs {
    /// Take the bundle only if this public key signed its index, such as cosign.pub.
    #[arg(long, env = "TRANSSHIP_BUNDLE_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The signature where it is not in the bundle: what cosign sign-blob wrote of the file of --index.
    #[arg(
        long,
        env = "TRANSSHIP_BUNDLE_SIGNATURE",
        value_name = "FILE",
        requires = "key"
    )]
    pub signature: Option<PathBuf>,
}

/// `transship bundle create`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship bundle create -f mirror.yaml out.tar
  transship bundle create -f mirror.yaml out.tar --split 4GiB            out.tar.001, out.tar.002 …
  transship bundle create -f mirror.yaml out.tar.zst
  transship bundle create -f mirror.yaml monday.tar --index monday.json
  transship bundle create -f mirror.yaml friday.tar --since monday.json  only what is new since then
  transship bundle create -f mirror.yaml out.tar --key key.pem           signed

The destinations are not asked, and their Secrets need not be there.")]
pub struct CreateBundleArgs {
    /// The file to write; an ending of .zst or .zstd asks for --zstd.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which mirrors.
    #[command(flatten)]
    pub mirrors: BundledMirrorArgs,
    /// Leave out the blobs that this bundle brings, or the one that this --index was written of.
    #[arg(long, env = "TRANSSHIP_BUNDLE_SINCE", value_name = "BUNDLE|INDEX")]
    pub since: Option<PathBuf>,
    /// Write the index of the bundle into this file, too, for the next --since.
    #[arg(long, env = "TRANSSHIP_BUNDLE_INDEX", value_name = "FILE")]
    pub index: Option<PathBuf>,
    /// Sign the index with this private key (ECDSA P-256, PEM), as cosign sign-blob would.
    #[arg(long, env = "TRANSSHIP_BUNDLE_SIGNING_KEY", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Write parts of at most this size, such as 4GiB.
    #[arg(long, env = "TRANSSHIP_BUNDLE_SPLIT", value_name = "SIZE", value_parser = part_size)]
    pub split: Option<u64>,
    /// Compress the whole of it with zstd. Most layers are compressed already.
    #[arg(long, env = "TRANSSHIP_BUNDLE_ZSTD", value_parser = FalseyValueParser::new())]
    pub zstd: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship bundle load`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship bundle load -f mirror.yaml out.tar
  transship bundle load -f mirror.yaml out.tar.001      the other parts are found beside it
  transship bundle load -f mirror.yaml out.tar --key cosign.pub

Every byte is checked before it is used. What is at the destinations already is not sent again, so a load that \
was interrupted goes on where it was.")]
pub struct LoadBundleArgs {
    /// The bundle, or its first part.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which mirrors.
    #[command(flatten)]
    pub mirrors: BundledMirrorArgs,
    /// Who must have signed it.
    #[command(flatten)]
    pub signed_by: SignedByArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship bundle ls`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  transship bundle ls out.tar -o json")]
pub struct ListBundleArgs {
    /// The bundle, its first part, or an index that was written beside it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `transship bundle verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship bundle verify out.tar.001
  transship bundle verify out.tar --key cosign.pub")]
pub struct VerifyBundleArgs {
    /// The bundle, or its first part.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who must have signed it.
    #[command(flatten)]
    pub signed_by: SignedByArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

// === impl BundleCommand ===

impl BundleCommand {
    /// How it reaches registries, where it does.
    pub(super) fn registry(&self) -> Option<&RegistryArgs> {
        match self {
            Self::Create(args) => Some(&args.registry),
            Self::Load(args) => Some(&args.registry),
            Self::Ls(_) | Self::Verify(_) => None,
        }
    }
}

/// Reads the size of a part.
fn part_size(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) = match unit {
        Some((unit, factor)) => (text.strip_suffix(unit).unwrap_or(text), *factor),
        None => (text, 1),
    };
    let number: Result<u64, _> = digits.trim().parse();
    let size = number.ok().and_then(|number| number.checked_mul(factor));
    let size = size.ok_or_else(|| format!("{text:?} is no size such as 4GiB or 700MB"))?;
    if size < LEAST_PART {
        return Err("a part has at least 1MiB".to_owned());
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_parts() {
        for (text, expected) in [
            ("4GiB", Ok(4 << 30)),
            ("4Gi", Ok(4 << 30)),
            ("700MB", Ok(700_000_000)),
            ("700M", Ok(700_000_000)),
            ("1048576", Ok(1 << 20)),
            ("1kB", Err("a part has at least 1MiB")),
            ("", Err("\"\" is no size such as 4GiB or 700MB")),
            ("-1G", Err("\"-1G\" is no size such as 4GiB or 700MB")),
            ("4 TiB", Err("\"4 TiB\" is no size such as 4GiB or 700MB")),
            (
                "99999999999999999999G",
                Err("\"99999999999999999999G\" is no size such as 4GiB or 700MB"),
            ),
        ] {
            assert_eq!(part_size(text), expected.map_err(str::to_owned), "{text}");
        }
    }
}
