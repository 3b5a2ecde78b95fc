// SPDX-License-Identifier: Apache-2.0

//! The way to a Kubernetes API server.
//!
//! The clients of kube wait for an answer without end, and repeat what failed for minutes. That
//! would outlast every deadline here, so there are clients of our own, and none repeats anything: who
//! calls decides that.

mod explain;
mod pages;

use std::io;
use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderValue, header};
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

pub use self::explain::{advice, explain};
pub use self::pages::ObjectPages;

use self::explain::explain_kubeconfig;

/// What the audit log of the API server calls this program.
const USER_AGENT: &str = concat!("transship/", env!("CARGO_PKG_VERSION"));
/// Where a kubeconfig is looked for.
const USUAL_FILES: &str = "of KUBECONFIG or ~/.kube/config";
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a call to go out, and again for its answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest silence of a watch: more than the 295 s after which kube itself gives one up.
const WATCH_TIMEOUT: Duration = Duration::from_secs(300);

/// Clients of one API server.
#[derive(Clone)]
pub struct Clients {
    /// For watches, and for the lists that they begin with.
    pub watch: Client,
    /// For everything else: an answer comes within seconds, or is an error.
    pub call: Client,
    /// The same over connections of its own, on which nothing waits in front of a renewal.
    pub lease: Client,
    /// For logs that a person follows, which may say nothing for hours.
    pub log: Client,
    /// The API server for people: where it is, and which context leads there.
    pub server: String,
    /// The namespace of the pod that this process runs in, if it does.
    pub pod_namespace: Option<String>,
}

/// Why there is no way to an API server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is a file that cannot be used.
    #[error("cannot use the kubeconfig {file}: {}", explain_kubeconfig(source))]
    Kubeconfig {
        /// The file, or where it was looked for.
        file: String,
        /// Why.
        source: Box<KubeconfigError>,
    },
    /// There is no file, and this is no pod.
    #[error(
        "there is no kubeconfig, and this is no pod with a service account ({source}): give --kubeconfig FILE or set KUBECONFIG"
    )]
    Nowhere {
        /// Why this is no pod.
        source: InClusterError,
    },
    /// The configuration was read but cannot be used.
    #[error("cannot make a client of the API server: {}", explain(source))]
    Client {
        /// Why.
        source: Box<kube::Error>,
    },
    /// The API server does not answer.
    #[error("cannot reach the API server: {}", explain(source))]
    Unreachable {
        /// Why.
        source: Box<kube::Error>,
    },
}

// === impl Clients ===

impl Clients {
    /// Clients for the cluster that this kubeconfig and context name. Without a file: that of
    /// `KUBECONFIG`, that of `~/.kube/config`, or else the cluster in whose pod this process runs.
    pub async fn configure(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
    ) -> Result<Self, Error> {
        let read = kubeconfig.map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let may_be_pod = kubeconfig.is_none() && context.is_none();
        match configure_from(read, context).await {
            Ok((config, context)) => Self::new(&config, context.as_deref(), None),
            Err(error) if may_be_pod && is_missing(&error) => {
                let config = Config::incluster().map_err(|source| Error::Nowhere { source })?;
                let namespace = config.default_namespace.trim().to_owned();
                Self::new(&config, None, Some(namespace))
            }
            Err(error) => Err(Error::unusable(kubeconfig, error)),
        }
    }

    /// Clients for the cluster of this configuration.
    fn new(
        config: &Config,
        context: Option<&str>,
        pod_namespace: Option<String>,
    ) -> Result<Self, Error> {
        let client = |config| {
            Client::try_from(config).map_err(|source| Error::Client {
                source: Box::new(source),
            })
        };
        let mut followed = bounded(config, CALL_TIMEOUT);
        followed.read_timeout = None;
        Ok(Self {
            watch: client(bounded(config, WATCH_TIMEOUT))?,
            call: client(bounded(config, CALL_TIMEOUT))?,
            lease: client(bounded(config, CALL_TIMEOUT))?,
            log: client(followed)?,
            server: server(config, context),
            pod_namespace,
        })
    }

    /// The version of the API server, to see that it is there.
    pub async fn version(&self) -> Result<String, Error> {
        let answer = self.call.apiserver_version().await;
        answer
            .map(|version| version.git_version)
            .map_err(|source| Error::Unreachable {
                source: Box::new(source),
            })
    }
}

// === impl Error ===

impl Error {
    /// The file that was asked for, or else the usual one, cannot be used.
    fn unusable(asked: Option<&Path>, source: KubeconfigError) -> Self {
        let file = match (asked, &source) {
            (Some(path), _) => path.display().to_string(),
            (None, KubeconfigError::ReadConfig(_, path)) => path.display().to_string(),
            (None, _) => USUAL_FILES.to_owned(),
        };
        Self::Kubeconfig {
            file,
            source: Box::new(source),
        }
    }
}

async fn configure_from(
    kubeconfig: Result<Kubeconfig, KubeconfigError>,
    context: Option<&str>,
) -> Result<(Config, Option<String>), KubeconfigError> {
    let kubeconfig = kubeconfig?;
    let clusters = kubeconfig.clusters.iter();
    let names_a_proxy = clusters
        .filter_map(|named| named.cluster.as_ref())
        .any(|cluster| cluster.proxy_url.is_some());
    let current = || kubeconfig.current_context.clone();
    let context = context.map(str::to_owned).or_else(current);
    let options = KubeConfigOptions {
        context: context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    if !names_a_proxy {
        // That of the environment is for registries, and kube would not heed its exceptions.
        config.proxy_url = None;
    }
    Ok((config, context))
}

/// The API server for people. What a URL has beside host and port may be secret.
fn server(config: &Config, context: Option<&str>) -> String {
    let url = &config.cluster_url;
    let host = url.host().unwrap_or_default();
    let usual = if url.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    let port = url.port_u16().unwrap_or(usual);
    let context = context.map_or_else(String::new, |name| format!(" of context {name:?}"));
    format!("the API server {host}:{port}{context}")
}

/// Whether there is no file at all, as opposed to a wrong one.
fn is_missing(error: &KubeconfigError) -> bool {
    if let KubeconfigError::ReadConfig(source, _) = error {
        return source.kind() == io::ErrorKind::NotFound;
    }
    matches!(error, KubeconfigError::FindPath)
}

/// The same configuration, with an end to every wait.
fn bounded(config: &Config, read_timeout: Duration) -> Config {
    let mut config = config.clone();
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(CALL_TIMEOUT);
    config.read_timeout = Some(read_timeout);
    // The wait for an answer begins with the request, not when its connection fell idle.
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let agent = HeaderValue::from_static(USER_AGENT);
    config.headers.push((header::USER_AGENT, agent));
    config
}

#[cfg(test)]
mod tests;
