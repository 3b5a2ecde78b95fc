// SPDX-License-Identifier: Apache-2.0

//! Who the person is in the clouds, and when that is shown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Files;
use crate::support::cloud::Cloud;
use crate::support::content::ImageBuilder;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::program::Program;
use crate::support::tls::Authority;
use crate::support::tunnel::Tunnel;

const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A registry that is ECR as far as the program can tell, and the API that gives out its passwords.
struct Lab {
    registry: FaultRegistry,
    tunnel: Tunnel,
    api: Cloud,
    files: Files,
}

impl Lab {
    fn open() -> Self {
        let authority = Authority::generate();
        let registry = FaultRegistry::options()
            .basic()
            .tls_with(authority.issue_for(&[ECR]).server(), &authority)
            .start();
        let api = Cloud::start(|_| {
            let Login { username, password } = Login::valid();
            let token = STANDARD.encode(format!("{username}:{password}"));
            Reply::json(
                200,
                &json!({"authorizationData": [{"authorizationToken": token}]}),
            )
        });
        Self {
            tunnel: Tunnel::to(registry.host().parse().unwrap()),
            registry,
            api,
            files: Files::new(&[("ca.pem", authority.pem())]),
        }
    }

    fn transship(&self, arguments: &[&str]) -> Program {
        self.files
            .transship(arguments)
            .environment("TRANSSHIP_CA_FILE", "ca.pem")
            .environment("HTTPS_PROXY", self.tunnel.url())
            .environment("AWS_ACCESS_KEY_ID", "AKID")
            .environment("AWS_SECRET_ACCESS_KEY", "canary-key")
            .environment("AWS_ENDPOINT_URL_ECR", self.api.url())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_shown_to_a_registry_of_the_cloud_where_the_person_says_so() {
    let lab = Lab::open();
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    lab.registry.load("app", "1", &image);
    let address = format!("{ECR}/app");

    let unasked = lab.transship(&["ls", "-q", &address]).run().await;
    assert_eq!(unasked.code, Some(1), "{}", unasked.stderr);
    let of_another = lab
        .transship(&["ls", "-q", &address, "--provider", "gcp,azure"])
        .run()
        .await;
    assert_eq!(of_another.code, Some(1), "{}", of_another.stderr);
    assert!(lab.api.requests().is_empty());

    let asked = lab
        .transship(&["ls", "-q", &address, "--provider", "AWS", "-vvv"])
        .run()
        .await;
    assert_eq!(
        (asked.code, asked.stdout.as_str()),
        (Some(0), "1\n"),
        "{}",
        asked.stderr
    );
    assert_eq!(lab.api.requests().len(), 1);
    let Login { password, .. } = Login::valid();
    for secret in ["canary-key", password.as_str()] {
        assert!(!asked.stderr.contains(secret), "{}", asked.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_a_file_is_the_person_in_place_of_its_service_account() {
    let (lab, source) = (Lab::open(), FaultRegistry::start());
    source.load("app", "1", &ImageBuilder::new(1).layers(&[1_000]).build());
    let mirror = format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: '{}', insecure: true}}
  images: [{{repository: app, tags: ['1']}}]
  destinations: [{{name: d, registry: {ECR}, provider: AWS, serviceAccountName: mirror}}]
",
        source.host()
    );
    std::fs::write(lab.files.path("mirror.yaml"), mirror).unwrap();
    let finished = lab.transship(&["sync", "-f", "mirror.yaml"]).run().await;
    finished.assert_success();
    assert_eq!(lab.registry.tags("app"), ["1"]);
    assert_eq!(lab.api.requests().len(), 1);

    // And what is wrong with it is told as what it is.
    lab.api.answers(|_| {
        let message = "User: arn:aws:iam::123456789012:user/me is not authorized to perform: ecr:GetAuthorizationToken";
        Reply::json(400, &json!({"__type": "AccessDeniedException", "message": message}))
    });
    source.load("app", "1", &ImageBuilder::new(2).layers(&[1_000]).build());
    let finished = lab.transship(&["sync", "-f", "mirror.yaml"]).run().await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains("AccessDenied")
            && finished
                .stderr
                .contains(&format!("there is no credential for {ECR}")),
        "{}",
        finished.stderr
    );
}
