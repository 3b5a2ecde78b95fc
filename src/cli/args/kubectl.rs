// SPDX-License-Identifier: Apache-2.0

//! `kubectl transship`: the plugin of kubectl. Its flags are those of kubectl, which has no environment names for them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use super::common::{CommonArgs, OutputArgs};
use crate::plan::why::AskedName;
use crate::policy::Duration;

/// Looks at the mirrors of a cluster and asks for what a person wants of them.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-transship",
    bin_name = "kubectl transship",
    version,
    after_help = "\
Examples:
  kubectl transship status                 which mirrors are not in order, the worst first
  kubectl transship why nginx:1.27         is this image mirrored, and why not
  kubectl transship sync base-images       a round now, and what came of it
  kubectl transship approve base-images    what waits to be deleted, and a question
  kubectl transship logs base-images -f    what the controller says of a mirror

Exit codes: 0 as it should be, 1 not so, or something failed, 2 wrong use, 130 interrupted."
)]
pub struct PluginArguments {
    /// The flags that every command has.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Which cluster, and which of its namespaces.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// Which cluster, and which of its namespaces.
#[derive(Clone, Debug, Args)]
pub struct ClusterArgs {
    /// Read where the cluster is from this file [default: KUBECONFIG, ~/.kube/config, or the pod's own].
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Use this context of the file [default: the current one].
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace [default: that of the context].
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// What kubectl calls mirrors, in front of a name.
const KINDS: [&str; 5] = [
    "imir",
    "imagemirror",
    "imagemirrors",
    "imagemirror.transship.dev",
    "imagemirrors.transship.dev",
];

/// A mirror as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedMirror {
    /// Its namespace, where it was typed in front of the name.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What was typed names no mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not NAME, NAMESPACE/NAME or imir/NAME")]
pub struct NoMirrorName;

// === impl AskedMirror ===

impl FromStr for AskedMirror {
    type Err = NoMirrorName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (before, name) = match text.split_once('/') {
            Some((before, name)) => (Some(before), name),
            None => (None, text),
        };
        let namespace = before.filter(|before| !KINDS.contains(before));
        let is_namespace = |text: &str| !text.is_empty() && !text.contains('.');
        if name.is_empty() || name.contains('/') || !namespace.is_none_or(is_namespace) {
            return Err(NoMirrorName);
        }
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for AskedMirror {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(formatter, "{namespace}/")?;
        }
        formatter.write_str(&self.name)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show the mirrors, the worst first, or all about one of them.
    Status(StatusArgs),
    /// Say whether an image is mirrored, and why not.
    Why(WhyArgs),
    /// Ask for a round now, wait for it, and say what came of it.
    Sync(SyncNowArgs),
    /// Show what waits to be deleted, and approve exactly that.
    Approve(ApproveArgs),
    /// Stop all rounds of a mirror. What is at the destinations stays as it is.
    Suspend(MirrorArgs),
    /// Let rounds of a mirror run again.
    Resume(MirrorArgs),
    /// Show which tags that were pruned can be restored, and how.
    Restore(ShownMirrorArgs),
    /// Show a mirror with its policies, records and receivers.
    Tree(ShownMirrorArgs),
    /// Print what the controller says of a mirror.
    Logs(LogsArgs),
    /// Print one HTML file for a browser: the mirrors, what arrives, what leaves, and images that are asked for.
    Page(PageArgs),
}

/// `kubectl transship status`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl transship status -A
  kubectl transship status base-images
  kubectl transship status -A -o json

States, the worst first: Stalled waits for a person, Failing is tried again, Late breaks its promise, PrunePaused
deletes nothing, Unknown was not looked at, Progressing runs, Suspended was stopped by a person, Ready is in order.
Exit codes: 0 all are as they should be, 1 one is Stalled, Failing, Late, PrunePaused or Unknown.")]
pub struct StatusArgs {
    /// All about this mirror: NAME, NAMESPACE/NAME or imir/NAME.
    #[arg(conflicts_with = "all_namespaces")]
    pub name: Option<AskedMirror>,
    /// The mirrors of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `kubectl transship why`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl transship why nginx:1.27
  kubectl transship why registry.example.com/mirror/library/nginx:1.27
  kubectl transship why -A docker.io/library/nginx@sha256:…
  kubectl transship why sha256:4f1c2b9

The name is that at the source or at a destination, as it stands in a pod or in an error. The end of it will do, and
the beginning of a digest, of seven digits at least. No registry is asked.
Exit codes: 0 it is mirrored, 1 it is not.")]
pub struct WhyArgs {
    /// The image.
    pub image: AskedName,
    /// Ask the mirrors of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `kubectl transship sync`
#[derive(Debug, Args)]
pub struct SyncNowArgs {
    /// The mirror: NAME, NAMESPACE/NAME or imir/NAME.
    pub name: AskedMirror,
    /// Do not wait for the end of the round.
    #[arg(long)]
    pub no_wait: bool,
    /// Wait for so long at most, such as 10m.
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kubectl transship approve`
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The mirror: NAME, NAMESPACE/NAME or imir/NAME.
    pub name: AskedMirror,
    /// Do not ask. Required where nobody can be asked.
    #[arg(short, long)]
    pub yes: bool,
}

/// A command about one mirror.
#[derive(Debug, Args)]
pub struct MirrorArgs {
    /// The mirror: NAME, NAMESPACE/NAME or imir/NAME.
    pub name: AskedMirror,
}

/// A command that shows something of one mirror.
#[derive(Debug, Args)]
pub struct ShownMirrorArgs {
    /// The mirror: NAME, NAMESPACE/NAME or imir/NAME.
    pub name: AskedMirror,
    /// How it is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `kubectl transship page`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl transship page > mirrors.html
  kubectl transship page -A nginx:1.27 > mirrors.html

The file loads nothing from anywhere. It shows what you may read, so give it to nobody who may not.")]
pub struct PageArgs {
    /// Say of these images whether they are mirrored, and why not.
    #[arg(value_name = "IMAGE")]
    pub images: Vec<AskedName>,
    /// The mirrors of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

/// `kubectl transship logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The mirror: NAME, NAMESPACE/NAME or imir/NAME.
    pub name: AskedMirror,
    /// Go on with what is said from now on.
    #[arg(short, long)]
    pub follow: bool,
    /// Only what was said within so long, such as 30m.
    #[arg(long, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// The namespace of the controller.
    #[arg(long, default_value = "transship-system", value_name = "NAME")]
    pub controller_namespace: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_named_as_kubectl_names_them() {
        for (text, expected) in [
            ("base", Some("base")),
            ("base.images", Some("base.images")),
            ("shop/base", Some("shop/base")),
            ("imir/base", Some("base")),
            ("imagemirror/base", Some("base")),
            ("imagemirrors/base", Some("base")),
            ("imagemirrors.transship.dev/base", Some("base")),
            ("deployments.apps/base", None),
            ("shop/imir/base", None),
            ("/base", None),
            ("shop/", None),
            ("", None),
        ] {
            let asked: Result<AskedMirror, _> = text.parse();
            let asked = asked.map(|asked| asked.to_string()).ok();
            assert_eq!(asked.as_deref(), expected, "{text}");
        }
    }
}
