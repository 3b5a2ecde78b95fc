// SPDX-License-Identifier: Apache-2.0

//! Keys from servers near the process: the agent of EKS Pod Identity (and ECS), and the metadata of an EC2 instance.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>

use std::path::Path;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::keys::Keys;
use super::sts::life;
use crate::identity::answer::Answer;
use crate::identity::environment::{Environment, read};
use crate::identity::error::Error;
use crate::identity::http::{Http, Request, is_near};
use crate::identity::life::{Lasting, longest};

/// Where containers of ECS ask.
const ECS: &str = "http://169.254.170.2";
/// Where instances ask.
const INSTANCE: &str = "http://169.254.169.254";
/// How long a session of the metadata server is good, in seconds: it is used at once.
const SESSION_SECONDS: &str = "60";
/// Longest name of a role.
const ROLE_LENGTH: usize = 64;

/// The keys as both servers give them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    /// Of an instance: `Success`, or what is wrong.
    code: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<SecretString>,
    token: Option<SecretString>,
    expiration: Option<String>,
}

/// Whether the environment names an agent.
pub(super) fn has_agent(environment: &Environment) -> bool {
    let names = [
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ];
    names.iter().any(|name| environment.get(name).is_some())
}

/// Keys from the agent that the environment names.
pub(super) async fn from_agent(
    http: &Http,
    environment: &Environment,
) -> Result<Lasting<Keys>, Error> {
    let url = agent(environment)?;
    let mut request = Request::get(url, "keys of the pod");
    let path = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    let token = match path {
        Some(path) => Some(read("the token for EKS Pod Identity", Path::new(path)).await?),
        None => environment
            .secret("AWS_CONTAINER_AUTHORIZATION_TOKEN")
            .cloned(),
    };
    if let Some(token) = token {
        request = request.hide(&token);
        request.headers.push(("authorization", token));
    }
    keys(&http.send(request).await?)
}

fn agent(environment: &Environment) -> Result<Url, Error> {
    if let Some(path) = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        let url = environment.server(&[], ECS)?.join(path).ok();
        let url = url.filter(|url| path.starts_with('/') && is_near(url));
        return url.ok_or_else(|| {
            Error::Wrong("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path".to_owned())
        });
    }
    let name = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let url = environment.server(&[name], ECS)?;
    if url.scheme() == "https" || is_near(&url) {
        return Ok(url);
    }
    Err(Error::Wrong(format!(
        "{name} is neither HTTPS nor an address of the agent or this machine"
    )))
}

/// Keys of the role of the instance that the process runs on.
pub(super) async fn from_instance(
    http: &Http,
    environment: &Environment,
) -> Result<Lasting<Keys>, Error> {
    let base = environment.server(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"], INSTANCE)?;
    let at = |path: &str| {
        let url = base.join(path);
        url.map_err(|_| Error::Wrong("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL".to_owned()))
    };
    let session = Request {
        method: Method::PUT,
        ..Request::get(at("/latest/api/token")?, "a session")
    }
    .header(
        "x-aws-ec2-metadata-token-ttl-seconds",
        SESSION_SECONDS.to_owned(),
    );
    let session = http.send(session).await?.granted()?.clone();
    let get = async |path: &str, asked| {
        let mut request = Request::get(at(path)?, asked).hide(&session);
        request
            .headers
            .push(("x-aws-ec2-metadata-token", session.clone()));
        http.send(request).await
    };
    let roles = "/latest/meta-data/iam/security-credentials/";
    let listed = get(roles, "the role of the instance").await?;
    if listed.status == StatusCode::NOT_FOUND {
        return Err(Error::None {
            cloud: "AWS",
            looked: "the instance has no role".to_owned(),
        });
    }
    let role = listed.granted()?.expose_secret().lines().next();
    let role = role.map(str::trim).filter(|role| is_role(role));
    let role = role.ok_or_else(|| listed.wrong("it names no role"))?;
    keys(&get(&format!("{roles}{role}"), "keys of the instance's role").await?)
}

/// A name of a role: it becomes a part of a path.
fn is_role(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=ROLE_LENGTH).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn keys(answer: &Answer) -> Result<Lasting<Keys>, Error> {
    let Given {
        code,
        access_key_id,
        secret_access_key,
        token,
        expiration,
    } = answer.json()?;
    if code.as_deref().is_some_and(|code| code != "Success") {
        return Err(answer.wrong("its Code is not Success: look at the role of the instance"));
    }
    let missing = |name: &str| answer.wrong(format!("it has no {name}"));
    let keys = Keys {
        id: access_key_id.ok_or_else(|| missing("AccessKeyId"))?,
        secret: secret_access_key.ok_or_else(|| missing("SecretAccessKey"))?,
        token: Some(token.ok_or_else(|| missing("Token"))?),
    };
    let life = match expiration {
        Some(end) => life(answer, &end)?,
        None => longest(),
    };
    Ok(Lasting { value: keys, life })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_near_or_spoken_to_in_https() {
        let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
        let cases = [
            (full, "http://169.254.170.23/v1/credentials", true),
            (full, "http://[fd00:ec2::23]/v1/credentials", true),
            (full, "http://127.0.0.1:1/a", true),
            (full, "https://agent.example.com/a", true),
            (full, "http://agent.example.com/a", false),
            (full, "http://169.254.169.253/a", false),
            (full, "file:///etc/passwd", false),
            (relative, "/v2/credentials/1", true),
            (relative, "//evil.test/a", false),
            (relative, "http://evil.test/a", false),
        ];
        for (name, value, expected) in cases {
            let environment = Environment::new([(name.to_owned(), value.to_owned())]);
            assert_eq!(agent(&environment).is_ok(), expected, "{value}");
        }
    }

    #[test]
    fn names_of_roles() {
        for name in ["a", "my-role_1+=,.@"] {
            assert!(is_role(name), "{name}");
        }
        for name in ["", "a/b", "a?b", "..%2f", "a b", &"a".repeat(65)] {
            assert!(!is_role(name), "{name}");
        }
    }
}
