//! What can be typed. What it means is decided by each command.
//!
//! Every flag has an environment name, `TRANSSHIP_` and the flag's own; a test holds them to it.

mod common;
mod controller;
mod convert;
mod copy;
mod generate;
mod look;
mod prune;
mod sync;

use clap::{Parser, Subcommand};

pub use self::common::{
    CommonArgs, DocumentArgs, Format, LogFormat, LogLevel, OutputArgs, RegistryArgs,
};
pub use self::controller::ControllerArgs;
pub use self::convert::{ConvertArgs, FormName};
pub use self::copy::CopyArgs;
pub use self::generate::{CompletionsArgs, CrdsArgs, ManArgs};
pub use self::look::{DfArgs, InspectArgs, LsArgs, VerifyArgs};
pub use self::prune::{PruneArgs, RestoreArgs};
pub use self::sync::{PlanArgs, SyncArgs};

/// Keeps container images in sync between registries.
#[derive(Debug, Parser)]
#[command(
    name = "transship",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  transship sync -f mirror.yaml                     copy what the mirrors of a file say, once
  transship sync -f mirrors/ --watch                keep doing so, at each mirror's interval
  transship plan -f mirror.yaml                     say what sync would do, and why
  transship copy alpine:3.20 registry.example.com/mirror/alpine
  transship ls registry.example.com/mirror/alpine
  transship inspect alpine:3.20
  transship prune -f mirror.yaml --state state.json say what the mirrors do not want any more
  transship df registry.example.com/mirror/alpine   say how much room the tags take

Exit codes: 0 all synced, 1 something failed, 2 wrong use or spec, 130 interrupted."
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
    /// Copy the images that mirrors name.
    Sync(SyncArgs),
    /// Say what sync would do, and why each tag is in or out.
    Plan(PlanArgs),
    /// Say which tags at the destinations are no longer wanted, or delete them.
    Prune(PruneArgs),
    /// Bring back tags that were pruned.
    Restore(RestoreArgs),
    /// Copy one image, or all tags of a repository.
    Copy(CopyArgs),
    /// List the repositories of a registry, or the tags of a repository.
    Ls(LsArgs),
    /// Say how much room tags take, and how much of it they share.
    Df(DfArgs),
    /// Show an image: manifest, platforms, config, layers, history, referrers.
    Inspect(InspectArgs),
    /// Keep the mirrors of a Kubernetes cluster in sync.
    Controller(ControllerArgs),
    /// Write the file of another mirror tool as mirrors and policies.
    Convert(ConvertArgs),
    /// Print the definitions of the custom resources, for kubectl apply.
    Crds(CrdsArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print a manual page.
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

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
                let expected = match flag {
                    "log-level" => "TRANSSHIP_LOG".to_owned(),
                    flag => format!("TRANSSHIP_{}", flag.replace('-', "_").to_uppercase()),
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
            message(&["sync", "-f", "a.yaml", "--outptu", "json"]),
            message(&["sync", "-f", "a.yaml", "-o", "xml"]),
            message(&["copy", "Alpine:3", "b.test/a"]),
            message(&["copy", "https://docker.io/alpine", "b.test/a"]),
            message(&["copy", "alpine", "b.test/a", "--platform", "amd64"]),
            message(&["ls", "alpine:3"]),
            message(&["inspect", "alpine@sha256:12"]),
            message(&["ls", "a.test", "--insecure", "http://a.test"]),
            message(&["ls", "a.test", "--insecure", "b.test,a.test:443"]),
            message(&["snyc"]),
        ];
        insta::assert_snapshot!(messages.join("\n"), @r#"
        error: the following required arguments were not provided:
        error: the argument '--watch' cannot be used with '--dry-run'
        error: unexpected argument '--outptu' found
        error: invalid value 'xml' for '--output <FORMAT>'
        error: invalid value 'Alpine:3' for '<SRC>': reference "Alpine:3": repository "library/Alpine" contains 'A': repository names are lower case, write "library/alpine"
        error: invalid value 'https://docker.io/alpine' for '<SRC>': reference "https://docker.io/alpine": registry "https://docker.io/alpine" starts with "https://": write the host without it
        error: invalid value 'amd64' for '--platform <OS/ARCH[/VARIANT]>': platform "amd64" must be os/architecture or os/architecture/variant, such as linux/arm64
        error: invalid value 'alpine:3' for '<REGISTRY[/REPOSITORY]>': "alpine:3" names one image: leave out the tag or digest, or use `transship inspect`
        error: invalid value 'alpine@sha256:12' for '<REF>': reference "alpine@sha256:12": digest "sha256:12" has 2 characters after sha256:, expected 64
        error: invalid value 'http://a.test' for '--insecure <HOST[:PORT]>': registry "http://a.test" starts with "http://": write the host without it
        error: invalid value 'a.test:443' for '--insecure <HOST[:PORT]>': "a.test:443" names the port of HTTPS, and this is for plain HTTP: leave out the port, or the registry
        error: unrecognized subcommand 'snyc'
        "#);
    }
}
