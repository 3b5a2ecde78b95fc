//! What can be typed. What it means is decided by each command.
//!
//! Every flag has an environment name, `TRANSSHIP_` and the flag's own; a test holds them to it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::address::{Address, Place};
use super::restore::Wanted;
use crate::oci::{Digest, Platform, Reference, Registry};
use crate::registry::{Cidr, HostGlob, InsecureHost};

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
    /// Print the definitions of the custom resources, for kubectl apply.
    Crds(CrdsArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print a manual page.
    Man(ManArgs),
}

/// The flags that every command has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct CommonArgs {
    /// Log more: -v what is done, -vv every decision, -vvv everything.
    #[arg(short, long, global = true, action = ArgAction::Count, env = "TRANSSHIP_VERBOSE")]
    pub verbose: u8,
    /// Print nothing but results, failures and the summary.
    #[arg(short, long, global = true, env = "TRANSSHIP_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// Log from this level on: off, error, warn, info, debug or trace [default: warn, info for what keeps running].
    #[arg(
        long,
        global = true,
        env = "TRANSSHIP_LOG",
        value_name = "LEVEL",
        hide_possible_values = true
    )]
    pub log_level: Option<LogLevel>,
    /// How log lines look: human or json [default: human, json for the controller].
    #[arg(
        long,
        global = true,
        env = "TRANSSHIP_LOG_FORMAT",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub log_format: Option<LogFormat>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what is doubtful.
    Warn,
    /// And what is done.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line.
    Human,
    /// One JSON object.
    Json,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// JSON, and nothing else on stdout.
    Json,
    /// YAML, and nothing else on stdout.
    Yaml,
}

/// Where the documents are.
#[derive(Debug, Args)]
pub struct DocumentArgs {
    /// Files or directories with mirrors, policies and Secrets, as YAML or JSON; - is stdin.
    #[arg(short, long, required = true, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_FILENAME", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Only these mirrors, by name or namespace/name.
    #[arg(long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_MIRROR", value_name = "NAME")]
    pub mirror: Vec<String>,
    /// Read all images from this tree of OCI layouts in place of the source registries.
    #[arg(long, env = "TRANSSHIP_FROM_LAYOUT", value_name = "DIR")]
    pub from_layout: Option<PathBuf>,
    /// Write all images to this tree of OCI layouts in place of the destination registries.
    #[arg(long, env = "TRANSSHIP_TO_LAYOUT", value_name = "DIR")]
    pub to_layout: Option<PathBuf>,
    /// Remember in this file what was written, from one run to the next.
    #[arg(long, env = "TRANSSHIP_STATE", value_name = "FILE")]
    pub state: Option<PathBuf>,
}

/// How registries are reached.
#[derive(Debug, Default, Args)]
pub struct RegistryArgs {
    /// Speak plain HTTP to these registries.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_INSECURE",
        value_name = "HOST[:PORT]"
    )]
    pub insecure: Vec<Registry>,
    /// Trust the authorities of this PEM file besides those of the system.
    #[arg(long, env = "TRANSSHIP_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send credentials to token servers on these hosts, too.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_TRUSTED_REALMS",
        value_name = "HOST[:PORT]"
    )]
    pub trusted_realms: Vec<Registry>,
}

/// How results are printed.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// How results are printed: table, json or yaml.
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        env = "TRANSSHIP_OUTPUT",
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub output: Format,
}

/// `transship sync`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship sync -f mirror.yaml
  transship sync -f mirrors/ -f credentials.yaml --watch --state state.json
  transship sync -f mirror.yaml --to-layout usb/        and on the other side:
  transship sync -f mirror.yaml --from-layout usb/

Credentials are those of the Secret documents that a mirror names, else those of `docker login`.")]
pub struct SyncArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Keep running: every mirror at its own interval or schedule.
    #[arg(long, env = "TRANSSHIP_WATCH", value_parser = FalseyValueParser::new(), conflicts_with = "dry_run")]
    pub watch: bool,
    /// Write nothing; say what would be done.
    #[arg(long, env = "TRANSSHIP_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship plan`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  transship plan -f mirror.yaml

Exit codes: 0 nothing to do, 2 something to do, 1 something failed.")]
pub struct PlanArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship prune`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship prune -f mirror.yaml --state state.json --in-use-from ~/.kube/config
  transship prune -f mirror.yaml --state state.json --in-use-from ~/.kube/config --delete
  kubectl get pods -A -o json | transship prune -f mirror.yaml --state state.json --in-use-from - --delete

Only tags that are in the state file are ever deleted: those that `transship sync --state` wrote.
Without --delete nothing changes but the state file, which remembers since when a tag is not wanted.

Exit codes: 0 nothing is due, or all that was due is deleted; 2 something is due, or wrong use; 1 something failed.")]
pub struct PruneArgs {
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Protect what workloads use: those of the cluster of a kubeconfig (or of the word kubeconfig), or the images in files; - is stdin.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_IN_USE_FROM",
        value_name = "KUBECONFIG|FILE"
    )]
    pub in_use_from: Vec<PathBuf>,
    /// Delete what is due, inside spec.prune.maxDeletes and maxPercent.
    #[arg(long, env = "TRANSSHIP_DELETE", value_parser = FalseyValueParser::new())]
    pub delete: bool,
    /// Delete beyond these limits, if what is due is exactly this plan.
    #[arg(
        long,
        env = "TRANSSHIP_APPROVE",
        value_name = "DIGEST",
        requires = "delete"
    )]
    pub approve: Option<Digest>,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship restore`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship restore -f mirror.yaml --state state.json              list what can be restored
  transship restore -f mirror.yaml --state state.json mirror/alpine:3.19
  transship restore -f mirror.yaml --state state.json --all

A tag can be restored until spec.prune.grace has passed after it was deleted, as long as the registry
still has its manifest. What the mirror still does not want is pruned again after another grace.")]
pub struct RestoreArgs {
    /// The tags to restore; without any they are only listed.
    #[arg(value_name = "[REPOSITORY:]TAG")]
    pub tags: Vec<Wanted>,
    /// Restore every tag that can be restored.
    #[arg(short, long, env = "TRANSSHIP_ALL", value_parser = FalseyValueParser::new(), conflicts_with = "tags")]
    pub all: bool,
    /// Where the documents are.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship copy`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship copy alpine:3.20 registry.example.com/mirror/alpine
  transship copy alpine:3.20 registry.example.com/alpine:stable --platform linux/amd64
  transship copy -a quay.io/acme/app registry.example.com/acme/app
  transship copy alpine@sha256:… localhost:5000/alpine:pinned --insecure localhost:5000")]
pub struct CopyArgs {
    /// The image to copy; with --all-tags a repository.
    #[arg(value_name = "SRC")]
    pub source: Reference,
    /// Where to copy it; without a tag it keeps the one of SRC.
    #[arg(value_name = "DST")]
    pub destination: Reference,
    /// Copy only these platforms of an image of several.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_PLATFORM",
        value_name = "OS/ARCH[/VARIANT]"
    )]
    pub platform: Vec<Platform>,
    /// Copy every tag of the repository.
    #[arg(short, long, env = "TRANSSHIP_ALL_TAGS", value_parser = FalseyValueParser::new())]
    pub all_tags: bool,
    /// Leave signatures, SBOMs and attestations behind.
    #[arg(long, env = "TRANSSHIP_NO_REFERRERS", value_parser = FalseyValueParser::new())]
    pub no_referrers: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship ls`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship ls registry.example.com                 the repositories, where the registry tells
  transship ls registry.example.com/mirror/alpine   the tags of a repository
  transship ls -q alpine                            only the names, which costs no pulls")]
pub struct LsArgs {
    /// A registry or a repository; a name without a registry is one of Docker Hub.
    #[arg(value_name = "REGISTRY[/REPOSITORY]")]
    pub address: Address,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship df`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship df registry.example.com/mirror/alpine   the tags of a repository
  transship df registry.example.com                 the repositories of a registry, where it tells
  transship df --tags registry.example.com          the tags of all of them
  transship df -f mirror.yaml                       where the mirrors of a file write to
  transship df ./mirror                             a tree of OCI layouts

SIZE is everything that a tag leads to, UNIQUE the part of it that nothing else among those looked at
leads to, SHARED the rest. Manifests and blobs count once, compressed as they are.")]
pub struct DfArgs {
    /// A registry, a repository, or a directory of OCI layouts, which begins with a dot or a slash.
    #[arg(value_name = "REGISTRY[/REPOSITORY]|DIR")]
    pub place: Option<Place>,
    /// Without it, look at the destinations of the mirrors in these files or directories.
    #[arg(short, long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_FILENAME", value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Only these mirrors, by name or namespace/name.
    #[arg(long, num_args = 1.., value_delimiter = ',', env = "TRANSSHIP_MIRROR", value_name = "NAME")]
    pub mirror: Vec<String>,
    /// Show every tag, not only the repositories.
    #[arg(short, long, env = "TRANSSHIP_TAGS", value_parser = FalseyValueParser::new())]
    pub tags: bool,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// `transship inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship inspect alpine:3.20
  transship inspect alpine:3.20 --platform linux/arm64
  transship inspect --raw alpine:3.20 | sha256sum
  transship inspect app:1.4 --verify --key cosign.pub
  transship inspect app:1.4 --verify --issuer https://token.actions.githubusercontent.com \
      --subject 'https://github.com/acme/*'")]
pub struct InspectArgs {
    /// The image.
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// Print the manifest or index as the registry has it, byte for byte.
    #[arg(long, env = "TRANSSHIP_RAW", value_parser = FalseyValueParser::new(), conflicts_with = "platform")]
    pub raw: bool,
    /// Show config, layers and history for this platform [default: linux on this processor].
    #[arg(long, env = "TRANSSHIP_PLATFORM", value_name = "OS/ARCH[/VARIANT]")]
    pub platform: Option<Platform>,
    /// Who must have signed it.
    #[command(flatten)]
    pub verify: VerifyArgs,
    /// How results are printed.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How registries are reached.
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Who must have signed an image.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Show what signatures and attestations prove; the exit code is 1 where nobody who is trusted signed the image.
    #[arg(long, env = "TRANSSHIP_VERIFY", value_parser = FalseyValueParser::new(), conflicts_with_all = ["raw", "platform"])]
    pub verify: bool,
    /// Trust whoever has the private key to the public key in this file, as cosign writes it; any one of several.
    #[arg(
        long,
        env = "TRANSSHIP_KEY",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub key: Vec<PathBuf>,
    /// Trust identities of this issuer, compared exactly.
    #[arg(
        long,
        env = "TRANSSHIP_ISSUER",
        value_name = "URL",
        requires = "subject",
        alias = "certificate-oidc-issuer"
    )]
    pub issuer: Option<String>,
    /// Trust this identity; * stands for any characters.
    #[arg(
        long,
        env = "TRANSSHIP_SUBJECT",
        value_name = "GLOB",
        requires = "issuer",
        alias = "certificate-identity"
    )]
    pub subject: Option<String>,
    /// Verify identities with the authorities and logs of this trusted_root.json [default: Sigstore's public ones].
    #[arg(
        long,
        env = "TRANSSHIP_TRUSTED_ROOT",
        value_name = "FILE",
        requires = "issuer"
    )]
    pub trusted_root: Option<PathBuf>,
}

/// `transship controller`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship controller                                  in a pod, as the Helm chart runs it
  transship controller --kubeconfig ~/.kube/config --listen-address 127.0.0.1:8080

It works while it holds the lease, and several of them take turns at it. Health is at /healthz and /readyz,
metrics are at /metrics of the listen address.")]
pub struct ControllerArgs {
    /// Read where the cluster is from this file [default: KUBECONFIG, ~/.kube/config, or the pod's own].
    #[arg(long, env = "TRANSSHIP_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Use this context of the file [default: the current one].
    #[arg(long, env = "TRANSSHIP_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// Look at the objects of these namespaces only [default: all].
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_WATCH_NAMESPACES",
        value_name = "NAMESPACE"
    )]
    pub watch_namespaces: Vec<String>,
    /// Keep the lease in this namespace [default: the pod's own, else transship-system].
    #[arg(long, env = "TRANSSHIP_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// The lease that several controllers take turns at.
    #[arg(
        long,
        env = "TRANSSHIP_LEASE_NAME",
        value_name = "NAME",
        default_value = "transship"
    )]
    pub lease_name: String,
    /// Serve health and metrics here.
    #[arg(
        long,
        env = "TRANSSHIP_LISTEN_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "0.0.0.0:8080"
    )]
    pub listen_address: SocketAddr,
    /// Run at most so many rounds at a time.
    #[arg(
        long,
        env = "TRANSSHIP_CONCURRENT_ROUNDS",
        value_name = "NUMBER",
        default_value = "32"
    )]
    pub concurrent_rounds: NonZeroUsize,
    /// Run at most so many rounds of one namespace at a time.
    #[arg(
        long,
        env = "TRANSSHIP_ROUNDS_PER_NAMESPACE",
        value_name = "NUMBER",
        default_value = "8"
    )]
    pub rounds_per_namespace: NonZeroUsize,
    /// Delete nothing at any destination, whatever spec.prune says; candidates are still listed.
    #[arg(long, env = "TRANSSHIP_DISABLE_PRUNE", value_parser = FalseyValueParser::new())]
    pub disable_prune: bool,
    /// List the workloads of all namespaces before anything is deleted, and keep what they use.
    #[arg(long, env = "TRANSSHIP_IN_USE", value_parser = FalseyValueParser::new())]
    pub in_use: bool,
    /// Connect to these addresses although they are loopback, link-local, metadata or otherwise special.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_ALLOW_ADDRESSES",
        value_name = "CIDR"
    )]
    pub allow_addresses: Vec<Cidr>,
    /// Speak plain HTTP to these hosts where a mirror says insecure: true.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_INSECURE_HOSTS",
        value_name = "HOST[:PORT]"
    )]
    pub insecure_hosts: Vec<InsecureHost>,
    /// Use these registries only, where * stands for any characters.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_ALLOWED_HOSTS",
        value_name = "GLOB",
        default_value = "*"
    )]
    pub allowed_hosts: Vec<HostGlob>,
    /// Trust the authorities of this PEM file besides those of the system.
    #[arg(long, env = "TRANSSHIP_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Send credentials to token servers on these hosts, too.
    #[arg(
        long,
        value_delimiter = ',',
        env = "TRANSSHIP_TRUSTED_REALMS",
        value_name = "HOST[:PORT]"
    )]
    pub trusted_realms: Vec<Registry>,
}

/// `transship crds`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship crds | kubectl apply --server-side -f -
  transship crds imagemirrors")]
pub struct CrdsArgs {
    /// The one that is printed, such as imagemirrors or imir; without it all of them.
    pub name: Option<String>,
}

/// `transship completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  transship completions bash > /etc/bash_completion.d/transship")]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// `transship man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  transship man | man -l -
  transship man sync > transship-sync.1")]
pub struct ManArgs {
    /// The command whose page is printed; without one the page of transship itself.
    pub command: Option<String>,
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
            message(&["snyc"]),
        ];
        insta::assert_snapshot!(messages.join("\n"), @r#"
        error: the following required arguments were not provided:
        error: the argument '--watch' cannot be used with '--dry-run'
        error: unexpected argument '--outptu' found
        error: invalid value 'xml' for '--output <FORMAT>'
        error: invalid value 'Alpine:3' for '<SRC>': reference "Alpine:3": repository "library/Alpine" contains 'A': repository names are lower case
        error: invalid value 'https://docker.io/alpine' for '<SRC>': reference "https://docker.io/alpine": registry "https://docker.io/alpine" starts with "https://": write the host without it
        error: invalid value 'amd64' for '--platform <OS/ARCH[/VARIANT]>': platform "amd64" must be os/architecture or os/architecture/variant, such as linux/arm64
        error: invalid value 'alpine:3' for '<REGISTRY[/REPOSITORY]>': "alpine:3" names one image: leave out the tag or digest, or use `transship inspect`
        error: invalid value 'alpine@sha256:12' for '<REF>': reference "alpine@sha256:12": digest "sha256:12" has 2 characters after sha256:, expected 64
        error: invalid value 'http://a.test' for '--insecure <HOST[:PORT]>': registry "http://a.test" starts with "http://": write the host without it
        error: unrecognized subcommand 'snyc'
        "#);
    }
}
