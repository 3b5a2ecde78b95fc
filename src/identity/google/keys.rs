// SPDX-License-Identifier: Apache-2.0

//! The keys with which Google signs what says who somebody is.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::identity::environment::Environment;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::life::Lasting;

/// The host with the keys, and their path there (`jwks_uri` of <https://accounts.google.com/.well-known/openid-configuration>).
const HOST: &str = "www.googleapis.com";
const PATH: &str = "/oauth2/v3/certs";
/// How long they are kept. Google tells of a key days before it signs with it.
const LIFE: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize)]
struct Set {
    #[serde(rename = "keys")]
    _keys: Vec<IgnoredAny>,
}

/// A set of keys (RFC 7517), as Google tells it.
pub(in crate::identity) async fn keys(
    http: &Http,
    environment: &Environment,
) -> Result<Lasting<Arc<str>>, Error> {
    let server = environment.server(&[HOST], &format!("https://{HOST}"))?;
    let url = server.join(PATH);
    let url = url.map_err(|_| Error::Wrong("the address of Google's keys is wrong".to_owned()))?;
    let answer = http.send(Request::get(url, "the keys of Google")).await?;
    let _: Set = answer.json()?;
    Ok(Lasting {
        value: answer.granted()?.expose_secret().into(),
        life: LIFE,
    })
}
