// SPDX-License-Identifier: Apache-2.0

//! Whose credentials and certificates are used.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Files;
use crate::support::content::ImageBuilder;
use crate::support::credentials::{Login, docker_config};
use crate::support::faults::FaultRegistry;
use crate::support::program::{Finished, Program};
use crate::support::registries::{Kind, Registry, Security};
use crate::support::witness::Witness;

/// A credential helper with one answer.
const HELPER: &str = r#"#!/bin/sh
cat > /dev/null
echo '{"Username": "USERNAME", "Secret": "PASSWORD"}'
"#;

/// A registry with an image, and the arguments with which it is reached.
async fn guarded(security: Security) -> Registry {
    let registry = Registry::start(Kind::Distribution3, security).await;
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    registry.client().push("app", "1", &image).await;
    registry
}

/// Lists the tags with whatever `files` has as Docker config.
fn ls(registry: &Registry, files: &Files) -> Program {
    let address = format!("{}/app", registry.host());
    let program = files
        .transship(&["ls", "-q", &address])
        .environment("DOCKER_CONFIG", files.path(""));
    reach(registry, program)
}

/// Adds how the registry is reached.
fn reach(registry: &Registry, program: Program) -> Program {
    let program = match registry.ca_file() {
        Some(file) => program.environment("TRANSSHIP_CA_FILE", file),
        None => program.environment("TRANSSHIP_INSECURE", registry.host()),
    };
    match registry.token_server() {
        Some(server) => {
            program.environment("TRANSSHIP_TRUSTED_REALMS", server.address().to_string())
        }
        None => program,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_login_just_works() {
    for security in Security::ALL {
        let registry = guarded(security).await;
        let logins = registry.login();
        let logins: Vec<(&str, &Login)> = logins.iter().map(|login| ("HOST", login)).collect();
        let config = docker_config(&logins).replace("HOST", &registry.host());
        let files = Files::new(&[("config.json", &config)]);
        let finished = ls(&registry, &files).run().await;
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(0), "1\n"),
            "{security:?}: {}",
            finished.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_helper_is_asked() {
    let registry = guarded(Security::Basic).await;
    let Login { username, password } = registry.login().unwrap();
    let helper = HELPER
        .replace("USERNAME", &username)
        .replace("PASSWORD", &password);
    let config = format!(r#"{{"credHelpers": {{"{}": "lab"}}}}"#, registry.host());
    let files = Files::new(&[("config.json", &config), ("docker-credential-lab", &helper)]);
    fs::set_permissions(
        files.path("docker-credential-lab"),
        PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let inherited = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(
        [files.path("")]
            .into_iter()
            .chain(std::env::split_paths(&inherited)),
    );
    let finished = ls(&registry, &files)
        .environment("PATH", path.unwrap())
        .run()
        .await;
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "1\n"),
        "{}",
        finished.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_credential_the_program_says_what_to_do() {
    let registry = guarded(Security::Basic).await;
    let wrong = Login::wrong();
    let config = docker_config(&[("HOST", &wrong)]).replace("HOST", &registry.host());
    let cases = [("none", "{}"), ("a wrong one", &config)];
    for (name, config) in cases {
        let files = Files::new(&[("config.json", config)]);
        let finished = ls(&registry, &files).run().await;
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (Some(1), ""),
            "{name}"
        );
        assert!(
            finished
                .stderr
                .contains("hint: log in with `transship login` or `docker login`"),
            "{name}: {}",
            finished.stderr
        );
        assert!(
            !finished.stderr.contains(&wrong.password),
            "{}",
            finished.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_must_be_named() {
    let registry = guarded(Security::Tls).await;
    let finished = Files::new(&[]).run(&["ls", &registry.host()]).await;
    assert_eq!(finished.code, Some(1));
    let said = finished.stderr;
    assert!(said.contains("or --ca-file on the command line"), "{said}");
}

/// Nobody listens between the program and a registry on the same machine.
#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_machine_itself_needs_no_word() {
    let registry = FaultRegistry::start();
    registry.load("team/app", "v1", &ImageBuilder::new(1).build());
    let named = registry.host();
    for host in [named.clone(), named.replace("127.0.0.1", "localhost")] {
        let finished = Files::new(&[])
            .run(&["ls", &format!("{host}/team/app"), "-q"])
            .await;
        assert_eq!(
            (finished.code, finished.stdout.trim()),
            (Some(0), "v1"),
            "{}",
            finished.stderr
        );
    }
}

/// A mirror whose registries are reached by Secrets.
fn documents(source: &Registry, destination: &Registry, login: &Login) -> String {
    let config = docker_config(&[(&source.host(), login)]);
    let certificate = destination.ca_pem().unwrap().replace('\n', "\n    ");
    format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m, namespace: team}}
spec:
  source: {{registry: '{}', insecure: true, secretRef: {{name: pull}}}}
  images: [{{repository: app, tags: ['1']}}]
  destinations: [{{name: d, registry: '{}', certSecretRef: {{name: ca}}}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: pull, namespace: team}}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{config}'
---
apiVersion: v1
kind: Secret
metadata: {{name: ca, namespace: team}}
stringData:
  ca.crt: |
    {certificate}
",
        source.host(),
        destination.host()
    )
}

async fn sync(documents: &str) -> Finished {
    Program::transship(&["sync", "-f", "-"])
        .input(documents)
        .run()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_the_documents_are_used() {
    let source = guarded(Security::Basic).await;
    let destination = Registry::start(Kind::Distribution3, Security::Tls).await;
    sync(&documents(&source, &destination, &Login::valid()))
        .await
        .assert_success();
    assert_eq!(
        Witness::new(destination.client(), "app").check("1").await,
        []
    );

    let wrong = sync(&documents(&source, &destination, &Login::wrong())).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.stdout);
    assert!(
        wrong.stderr.contains("AuthenticationFailed"),
        "{}",
        wrong.stderr
    );

    let others = documents(&source, &destination, &Login::valid());
    let others = others.replacen(&format!("{{\"{}\":", source.host()), "{\"other.test\":", 1);
    let missing = sync(&others).await;
    let message = format!("secret \"pull\" has no credentials for {}", source.host());
    assert_eq!(missing.code, Some(1), "{}", missing.stdout);
    assert!(missing.stderr.contains(&message), "{}", missing.stderr);
}
