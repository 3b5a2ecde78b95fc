// SPDX-License-Identifier: Apache-2.0

//! Quay: a token of an issuer that a robot trusts is exchanged at the registry for a token of that robot.
//! <https://docs.redhat.com/en/documentation/red_hat_quay/3/html/manage_red_hat_quay/keyless-authentication-robot-accounts>

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::answer::Answer;
use super::environment::{Environment, read};
use super::error::Error;
use super::http::{Http, Request};
use super::jwt;
use super::life::{Lasting, until};
use super::oauth::refusal;
use super::who::{Account, Who};
use crate::oci::{CloudRegistry, Registry};
use crate::registry::Credential;

/// Where robots get their tokens.
const PATH: &str = "/oauth2/federation/robot/token";
/// The annotation of a ServiceAccount that names its robot. Quay has none of its own.
const ROBOT_ANNOTATION: &str = "transship.dev/quay-robot";
/// The variables of a process that is a robot.
const ROBOT: &str = "TRANSSHIP_QUAY_ROBOT";
const TOKEN_FILE: &str = "TRANSSHIP_QUAY_TOKEN_FILE";
/// The variable with the registries that are Quay, besides Red Hat's: no name says it, and a token that says who
/// somebody is goes nowhere else.
const REGISTRIES: &str = "TRANSSHIP_QUAY_REGISTRIES";
/// Longest name of a robot, with that of its organisation.
const ROBOT_LENGTH: usize = 510;

/// One registry and whoever asks for the token of a robot there.
#[derive(Debug)]
pub(super) struct Quay {
    http: Http,
    environment: Environment,
    registry: Registry,
    who: Who,
}

#[derive(Deserialize)]
struct Given {
    token: Option<SecretString>,
}

// === impl Quay ===

impl Quay {
    pub(super) fn new(http: Http, environment: Environment, registry: Registry, who: Who) -> Self {
        Self {
            http,
            environment,
            registry,
            who,
        }
    }

    /// The robot and its token.
    pub(super) async fn fetch(&self) -> Result<Lasting<Credential>, Error> {
        self.check_registry()?;
        let (robot, token) = match &self.who {
            Who::Account(account) => self.token_of_account(account).await?,
            Who::Process => self.token_of_process().await?,
        };
        let host = self.registry.as_str();
        let server = self
            .environment
            .server(&[host], &format!("https://{host}"))?;
        let url = server.join(PATH);
        let url = url.map_err(|_| Error::Wrong("the address of Quay is not a URL".to_owned()))?;
        let login = SecretString::from(format!("{robot}:{}", token.expose_secret()));
        let login = STANDARD.encode(login.expose_secret());
        let request = Request::get(url, "a token of the robot")
            .header("authorization", format!("Basic {login}"))
            .hide(&login.into())
            .hide(&token);
        credential(robot, &self.http.send(request).await?)
    }

    /// Whether the registry is Quay, as far as the process was told.
    fn check_registry(&self) -> Result<(), Error> {
        if is_quay(&self.environment, &self.registry)? {
            return Ok(());
        }
        let registry = &self.registry;
        Err(Error::NotGranted(format!(
            "{registry} is not known to be Quay, and no token that says who somebody is goes elsewhere: add {registry} to the \
             variable {REGISTRIES} of the controller (extraEnv of the Helm chart) or of the shell"
        )))
    }

    async fn token_of_account(&self, account: &Account) -> Result<(String, SecretString), Error> {
        let robot = account.annotation(ROBOT_ANNOTATION)?;
        let robot = check_robot(robot, &format!("the annotation {ROBOT_ANNOTATION}"))?;
        // Quay believes tokens for any audience. Ours is good for nobody else.
        let token = account.tokens.token(self.registry.as_str()).await?;
        Ok((robot, token))
    }

    async fn token_of_process(&self) -> Result<(String, SecretString), Error> {
        let (robot, path) = match [ROBOT, TOKEN_FILE].map(|name| self.environment.get(name)) {
            [Some(robot), Some(path)] => (robot, path),
            [None, None] => {
                return Err(Error::None {
                    cloud: "Quay",
                    looked: format!("{ROBOT} and {TOKEN_FILE} are not set"),
                });
            }
            [Some(_), None] | [None, Some(_)] => {
                return Err(Error::Wrong(format!(
                    "of {ROBOT} and {TOKEN_FILE} one is set and the other is not"
                )));
            }
        };
        let robot = check_robot(robot, ROBOT)?;
        let token = read("the token for Quay", Path::new(path)).await?;
        jwt::check(&token, &format!("the token in {path}"))?;
        Ok((robot, token))
    }
}

/// `organisation+name`
fn check_robot(robot: &str, what: &str) -> Result<String, Error> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_allowed);
    let parts = robot.split_once('+');
    if robot.len() <= ROBOT_LENGTH
        && parts.is_some_and(|(owner, name)| is_name(owner) && is_name(name))
    {
        return Ok(robot.to_owned());
    }
    Err(Error::Wrong(format!(
        "{what} is not the name of a robot, such as organisation+mirror"
    )))
}

/// Whether a registry is Quay: by its name, or because the process was told so.
pub(super) fn is_quay(environment: &Environment, registry: &Registry) -> Result<bool, Error> {
    if CloudRegistry::of(registry) == Some(CloudRegistry::Quay) {
        return Ok(true);
    }
    let listed = environment.get(REGISTRIES).unwrap_or_default().split(',');
    let listed = listed.map(str::trim).filter(|text| !text.is_empty());
    let listed = listed.map(|text| {
        let listed = text.parse::<Registry>();
        listed.map_err(|error| Error::Wrong(format!("{REGISTRIES}: {error}")))
    });
    let listed: Vec<Registry> = listed.collect::<Result<_, _>>()?;
    Ok(listed.contains(registry))
}

fn credential(robot: String, answer: &Answer) -> Result<Lasting<Credential>, Error> {
    if !answer.status.is_success() {
        return Err(refusal(answer));
    }
    let Given { token } = answer.json()?;
    let token = token.ok_or_else(|| answer.wrong("it has no token"))?;
    let end = jwt::end(&token).map_err(|fault| answer.wrong(format!("its token {fault}")))?;
    let end = end.ok_or_else(|| answer.wrong("its token does not say when it ends"))?;
    let life = until(end).ok_or_else(|| {
        answer.wrong(format!(
            "it ended at {end:.0}: is the clock of this machine right?"
        ))
    })?;
    Ok(Lasting {
        value: Credential::Basic {
            username: robot,
            password: token,
        },
        life,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_quay_where_the_process_was_told_so() {
        let listed = |text: &str| {
            let environment = Environment::new([(REGISTRIES.to_owned(), text.to_owned())]);
            let quay = "quay.example.com:8443".parse().unwrap();
            is_quay(&environment, &quay).map_err(|error| error.to_string())
        };
        assert_eq!(listed(""), Ok(false));
        assert_eq!(listed("quay.example.com"), Ok(false));
        assert_eq!(listed("q.example.com, quay.example.com:8443,"), Ok(true));
        insta::assert_snapshot!(listed("https://quay.example.com:8443").unwrap_err(), @r#"TRANSSHIP_QUAY_REGISTRIES: registry "https://quay.example.com:8443" starts with "https://": write the host without it"#);
    }

    #[test]
    fn robots_have_an_owner_and_a_name() {
        for robot in ["team+mirror", "my-team.x+mirror_1"] {
            assert_eq!(check_robot(robot, "it").unwrap(), robot);
        }
        let long = format!("a+{}", "b".repeat(ROBOT_LENGTH));
        for robot in [
            "", "mirror", "+mirror", "team+", "a+b+c", "a:b+c", "a b+c", &long,
        ] {
            assert!(check_robot(robot, "it").is_err(), "{robot}");
        }
    }
}
