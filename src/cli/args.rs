// SPDX-License-Identifier: Apache-2.0

//! What can be typed. What it means is decided by each command.
//!
//! Every flag has an environment name: `TRANSSHIP_` and the flag's own where it means the same for all commands, else
//! with the command's name between them, so that what is meant for one command is not taken by another. A test holds
//! them to it.

mod answers;
mod boundaries;
mod bundle;
mod common;
mod controller;
mod convert;
mod copy;
mod copy_share;
mod generate;
mod image;
mod images;
mod init;
mod kubectl;
mod login;
mod look;
mod ls;
mod page_address;
mod prune;
mod search;
mod sync;

use clap::{Parser, Subcommand};

pub use self::answers::{PushSecret, SourceRepository, TagChoice, TagPattern, UnwantedTags};
pub use self::boundaries::BoundaryArgs;
pub use self::bundle::{
    BundleArgs, BundleCommand, BundledMirrorArgs, CreateBundleArgs, ListBundleArgs, LoadBundleArgs,
    SignedByArgs, VerifyBundleArgs,
};
pub use self::common::{
    Cloud, CommonArgs, DocumentArgs, Format, LogFormat, LogLevel, OutputArgs, RegistryArgs,
};
pub use self::controller::ControllerArgs;
pub use self::convert::ConvertArgs;
pub use self::copy::CopyArgs;
pub use self::copy_share::CopyShareArgs;
pub use self::generate::{CompletionsArgs, CrdsArgs, ManArgs, SchemaArgs};
pub use self::image::{
    ConfigArgs, DiffArgs, DigestArgs, HistoryArgs, ManifestArgs, VerifyImageArgs,
};
pub use self::images::{ImagesArgs, ImagesFormat};
pub use self::init::InitArgs;
pub use self::kubectl::{
    ApproveArgs, AskedMirror, ClusterArgs, LogsArgs, MirrorArgs, PageArgs, PluginArguments,
    PluginCommand, ShownMirrorArgs, StatusArgs, SyncNowArgs, WhyArgs,
};
pub use self::login::{LoginArgs, LogoutArgs};
pub use self::look::{DfArgs, InspectArgs, VerifyArgs};
pub use self::ls::{DeleteArgs, LsArgs, Order};
pub use self::page_address::PageAddress;
pub use self::prune::{PruneArgs, RestoreArgs};
pub use self::search::{Filter, Query, SearchArgs};
pub use self::sync::{PlanArgs, SyncArgs};

/// Keeps container images in sync between registries.
#[derive(Debug, Parser)]
#[command(
    name = "transship",
    version,
    after_help = "\
Examples:
  transship init                                    ask, and write a first mirror.yaml
  transship sync -f mirror.yaml                     copy what the mirrors of a file say, once
  transship sync -f mirrors/ --watch                keep doing so, at each mirror's interval
  transship plan -f mirror.yaml                     say what sync would do, and why
  transship copy alpine:3.20 registry.example.com/mirror/alpine
  transship ls registry.example.com/mirror/alpine
  transship inspect alpine:3.20
  transship diff alpine:3.19 alpine:3.20
  transship copy alpine:3.20 docker-archive:alpine.tar
  transship prune -f mirror.yaml --state state.json say what the mirrors do not want any more
  transship df registry.example.com/mirror/alpine   say how much room the tags take

Exit codes: 0 done, 1 something failed, 2 wrong use or spec, 130 interrupted.
Of plan, prune and diff: 0 as it should be, 1 something is wrong, \
2 something to do, or not alike."
)]
pub struct Arguments {
    /// The flags that every command has.
    #[command(flatten)]
    pub common: CommonArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask five questions, and write a first mirror into a file.
    Init(InitArgs),
    /// Copy the images that mirrors name.
    Sync(SyncArgs),
    /// Say what sync would do, and why each tag is in or out.
    Plan(PlanArgs),
    /// Say which tags at the destinations are no longer wanted, or delete them.
    Prune(PruneArgs),
    /// Bring back tags that were pruned.
    Restore(RestoreArgs),
    /// Copy images between registries, directories and archives.
    Copy(CopyArgs),
    /// Carry the images of mirrors in one file, to a place without a network.
    Bundle(BundleArgs),
    /// Delete tags.
    Delete(DeleteArgs),
    /// List the repositories of a registry, or the tags of a repository.
    Ls(LsArgs),
    /// Search registries for repositories.
    Search(SearchArgs),
    /// Print the digest of an image.
    Digest(DigestArgs),
    /// Print the manifest or index of an image, byte for byte.
    Manifest(ManifestArgs),
    /// Print the config of an image, byte for byte.
    Config(ConfigArgs),
    /// List the images that manifests name, or that run in a cluster.
    Images(ImagesArgs),
    /// Show an image: manifest, platforms, config, layers, history, referrers.
    Inspect(InspectArgs),
    /// Show the steps that made an image, and their sizes.
    History(HistoryArgs),
    /// Show what tells two images apart.
    Diff(DiffArgs),
    /// Check that images are complete and undamaged.
    Verify(VerifyImageArgs),
    /// Say how much room tags take, and how much of it they share.
    Df(DfArgs),
    /// Keep a credential for a registry.
    Login(LoginArgs),
    /// Forget the credential for a registry.
    Logout(LogoutArgs),
    /// Keep the mirrors of a Kubernetes cluster in sync.
    Controller(ControllerArgs),
    /// Copy a share of what a round found, as a pod of a Job of the controller.
    #[command(hide = true)]
    CopyShare(CopyShareArgs),
    /// Write the file of another mirror tool as mirrors and policies.
    Convert(ConvertArgs),
    /// Print the definitions of the custom resources, for kubectl apply.
    Crds(CrdsArgs),
    /// Print the JSON schema of the files, for editors.
    Schema(SchemaArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print a manual page.
    Man(ManArgs),
}

// === impl Command ===

impl Command {
    /// How it reaches registries, where it does.
    pub(super) fn registry(&self) -> Option<&RegistryArgs> {
        Some(match self {
            Self::Init(args) => &args.registry,
            Self::Sync(args) => &args.registry,
            Self::Plan(args) => &args.registry,
            Self::Prune(args) => &args.registry,
            Self::Restore(args) => &args.registry,
            Self::Copy(args) => &args.registry,
            Self::Bundle(args) => return args.command.registry(),
            Self::Delete(args) => &args.registry,
            Self::Ls(args) => &args.registry,
            Self::Search(args) => &args.registry,
            Self::Digest(args) => &args.registry,
            Self::Manifest(args) => &args.registry,
            Self::Config(args) => &args.registry,
            Self::Inspect(args) => &args.registry,
            Self::History(args) => &args.registry,
            Self::Diff(args) => &args.registry,
            Self::Verify(args) => &args.registry,
            Self::Df(args) => &args.registry,
            Self::Login(args) => &args.registry,
            Self::Convert(args) => &args.registry,
            Self::Controller(_)
            | Self::CopyShare(_)
            | Self::Images(_)
            | Self::Crds(_)
            | Self::Schema(_)
            | Self::Logout(_)
            | Self::Completions(_)
            | Self::Man(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    /// Flags that mean the same wherever they are.
    const SHARED: [&str; 32] = [
        "allow-addresses",
        "allowed-hosts",
        "allowed-proxies",
        "ca-file",
        "changes-only",
        "concurrency",
        "context",
        "deny-addresses",
        "filename",
        "from-layout",
        "identity-namespaces",
        "in-use-extra",
        "in-use-from",
        "insecure",
        "insecure-hosts",
        "kubeconfig",
        "lock-timeout",
        "log-format",
        "log-level",
        "max-read-memory",
        "max-tags-per-mirror",
        "mirror",
        "output",
        "provider",
        "quiet",
        "rate",
        "set-env",
        "state",
        "timeout",
        "to-layout",
        "trusted-realms",
        "verbose",
    ];

    #[test]
    fn every_flag_has_an_environment_name() {
        let mut program = Arguments::command();
        program.build();
        for command in program.get_subcommands().chain([&program]) {
            for argument in command.get_arguments() {
                let Some(flag) = argument.get_long() else {
                    continue;
                };
                if matches!(flag, "help" | "version") {
                    continue;
                }
                let upper = |text: &str| text.replace('-', "_").to_uppercase();
                let is_shared = SHARED.contains(&flag) || command.get_name() == "controller";
                let expected = match flag {
                    "log-level" => "TRANSSHIP_LOG".to_owned(),
                    flag if is_shared => format!("TRANSSHIP_{}", upper(flag)),
                    flag => format!("TRANSSHIP_{}_{}", upper(command.get_name()), upper(flag)),
                };
                let found = argument
                    .get_env()
                    .map(|name| name.to_string_lossy().into_owned());
                assert_eq!(found, Some(expected), "{} --{flag}", command.get_name());
            }
        }
    }

    #[test]
    fn arguments_that_are_refused() {
        let message = |arguments: &[&str]| {
            let words = ["transship"].iter().chain(arguments);
            let error = Arguments::try_parse_from(words).unwrap_err();
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let messages = [
            message(&["sync"]),
            message(&["sync", "-f", "a.yaml", "--watch", "--dry-run"]),
            message(&["sync", "-f", "a.yaml", "--page", "8082"]),
            message(&["sync", "-f", "a.yaml", "--watch", "--page", "elsewhere"]),
            message(&[
                "sync",
                "-f",
                "a.yaml",
                "--dry-run",
                "--page-file",
                "page.html",
            ]),
            message(&["sync", "-f", "a.yaml", "--outptu", "json"]),
            message(&["sync", "-f", "a.yaml", "-o", "xml"]),
            message(&["copy", "Alpine:3", "b.test/a"]),
            message(&["copy", "https://docker.io/alpine", "b.test/a"]),
            message(&["copy", "alpine", "b.test/a", "--platform", "amd64"]),
            message(&["ls", "alpine:3"]),
            message(&["copy", "alpine", "127.0.0.1:27002"]),
            message(&["copy", "alpine", "x.tar"]),
            message(&["df", "src"]),
            message(&["diff", "alpine"]),
            message(&["inspect", "alpine@sha256:12"]),
            message(&["ls", "a.test", "--insecure", "http://a.test"]),
            message(&["ls", "a.test", "--insecure", "b.test,a.test:443"]),
            message(&["snyc"]),
            message(&["controller", "--job-image", "a.test/Transship:1"]),
            message(&["controller", "--job-image", "https://a.test/transship"]),
            message(&["controller", "--watch-namespaces", "shop,Team_A"]),
            message(&["controller", "--lease-namespace", "a.b"]),
            message(&["controller", "--lease-name", "a b"]),
            message(&["controller", "--identity-namespaces", "shop,*,-"]),
        ];
        insta::assert_snapshot!(messages.join("\n"));
    }
}
