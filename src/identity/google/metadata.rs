// SPDX-License-Identifier: Apache-2.0

//! The metadata server of Google: the token of a machine or pod, and the name of the cluster.
//! <https://docs.cloud.google.com/compute/docs/metadata/overview>

use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::token::ASKED;
use crate::identity::answer::Answer;
use crate::identity::environment::Environment;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::life::Lasting;
use crate::identity::oauth::access_token;

/// Where it is.
const SERVER: &str = "http://metadata.google.internal";
/// Longest name of a project, a location or a cluster.
const NAME_LENGTH: usize = 128;

/// The token of the service account of this machine or pod.
pub(super) async fn token(
    http: &Http,
    environment: &Environment,
) -> Result<Lasting<SecretString>, Error> {
    let none = |what: &str| Error::None {
        cloud: "Google",
        looked: format!("GOOGLE_APPLICATION_CREDENTIALS is not set, and {what}"),
    };
    let path = "instance/service-accounts/default/token";
    match get(http, environment, path, ASKED).await {
        Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
            Err(none("the machine has no service account"))
        }
        Ok(answer) => access_token(&answer),
        Err(Error::Unreachable { .. }) => Err(none("there is no metadata server of Google")),
        Err(error) => Err(error),
    }
}

/// The audience of the pool for this cluster's tokens at the exchange, and that of the tokens themselves.
pub(super) async fn cluster(
    http: &Http,
    environment: &Environment,
) -> Result<(String, String), Error> {
    let name = async |path: &str| {
        let answer = get(http, environment, path, "the name of the cluster").await;
        let answer = answer.map_err(|error| {
            if !matches!(error, Error::Unreachable { .. }) {
                return error;
            }
            let looked = "there is no metadata server of GKE, and the service account does not name a provider of a \
                          workload identity pool (gcp.auth.fluxcd.io/workload-identity-provider)";
            Error::None {
                cloud: "Google",
                looked: looked.to_owned(),
            }
        })?;
        let text = answer.granted()?.expose_secret().trim();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let is_name = (1..=NAME_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed);
        is_name
            .then(|| text.to_owned())
            .ok_or_else(|| answer.wrong("it is no name"))
    };
    let project = name("project/project-id").await?;
    let location = name("instance/attributes/cluster-location").await?;
    let cluster = name("instance/attributes/cluster-name").await?;
    let pool = format!("{project}.svc.id.goog");
    let audience = format!(
        "identitynamespace:{pool}:https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}"
    );
    Ok((audience, pool))
}

async fn get(
    http: &Http,
    environment: &Environment,
    path: &str,
    asked: &'static str,
) -> Result<Answer, Error> {
    let wrong = || Error::Wrong("GCE_METADATA_HOST is not a host".to_owned());
    let base = match environment.get("GCE_METADATA_HOST") {
        Some(host) => format!("http://{host}"),
        None => SERVER.to_owned(),
    };
    let url: Url = format!("{base}/computeMetadata/v1/{path}")
        .parse()
        .map_err(|_| wrong())?;
    let request = Request::get(url, asked).header("metadata-flavor", "Google".to_owned());
    http.send(request).await
}
