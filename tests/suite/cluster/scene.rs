// SPDX-License-Identifier: Apache-2.0

//! A mirror in a namespace of its own, and replicas of the controller that each go their own way to
//! the API server under a name of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::cluster::audit::Entry;
use crate::support::cluster::controller::Options;
use crate::support::cluster::{ApiClient, ApiProxy, ControlPlane, Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
use crate::support::registries::{Kind, Registry, Security};

/// The mirror's name.
pub(super) const MIRROR: &str = "mirror";

/// The name of the controller's lease.
pub(super) const LEASE: &str = "transship";

/// How long something may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(25);

/// The rights of the chart, for one namespace.
const RIGHTS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: controller}
rules:
  - apiGroups: [transship.dev]
    resources: [imagemirrors, imagenotifications, imagepolicies, imagereceivers, mirroredrepositories]
    verbs: [get, list, watch]
  - apiGroups: [transship.dev]
    resources: [imagemirrors/status, imagenotifications/status, imagepolicies/status, imagereceivers/status, mirroredrepositories/status]
    verbs: [patch]
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, create, update]
";

/// The right to put on record what is pushed.
const RIGHT_TO_RECORD: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: recorder}
rules:
  - apiGroups: [transship.dev]
    resources: [mirroredrepositories]
    verbs: [create, patch]
";

/// The rights at leases that the chart gives besides where several replicas share the work.
const RIGHT_TO_SHARE: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: member}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [list, delete]
";

/// The name of the role with the right to share.
const MEMBER: &str = "member";

/// The name of the role with all rights but one.
const CONTROLLER: &str = "controller";

/// The name of the role with the right to put on record what is pushed.
const RECORDER: &str = "recorder";

/// A registry with images.
pub(super) struct Source {
    registry: Registry,
    images: Vec<(&'static str, &'static str, Image)>,
}

/// Images at a source and a namespace for the mirror.
pub(super) struct Scene {
    namespace: Namespace<'static>,
    source: Arc<Source>,
}

/// A controller that is about to be started, any number of times.
pub(super) struct Replica {
    user: String,
    proxy: ApiProxy<'static>,
    options: Options,
}

impl Source {
    /// Two repositories with three tags, one of them an index; the largest layer has so many bytes.
    pub(super) async fn start(largest: usize) -> Arc<Self> {
        let platforms = ["linux/amd64", "linux/arm64"];
        let index = ImageBuilder::new(1).platforms(&platforms).layers(&[1_000]);
        let images = vec![
            ("app", "1", index.build()),
            ("app", "2", ImageBuilder::new(2).layers(&[largest]).build()),
            ("tool", "1", ImageBuilder::new(3).layers(&[500]).build()),
        ];
        let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
        for (repository, tag, image) in &images {
            registry.client().push(repository, tag, image).await;
        }
        Arc::new(Self { registry, images })
    }
}

impl Scene {
    /// A namespace of its own, and a source of its own.
    pub(super) async fn prepare(name: &str, largest: usize) -> Self {
        Self::before(&Source::start(largest).await, name).await
    }

    /// A namespace of its own before a source.
    pub(super) async fn before(source: &Arc<Source>, name: &str) -> Self {
        let plane = ControlPlane::shared().await;
        Self {
            namespace: plane.namespace(name).await,
            source: Arc::clone(source),
        }
    }

    /// Its namespace.
    pub(super) fn namespace(&self) -> &Namespace<'static> {
        &self.namespace
    }

    /// Asks for a copy of everything at this registry.
    pub(super) async fn mirror_to(&self, destination: &str) {
        self.mirror_as(MIRROR, destination, &self.place("{repository}"))
            .await;
    }

    /// The same for a mirror of another name, and other repositories at the destination.
    pub(super) async fn mirror_as(&self, name: &str, destination: &str, repository: &str) {
        let source = self.source.registry.host();
        let object = json!({
            "apiVersion": "transship.dev/v1alpha1",
            "kind": "ImageMirror",
            "metadata": {"name": name},
            "spec": {
                "source": {"registry": source, "insecure": true},
                "images": [
                    {"repository": "app", "tags": ["1", "2"]},
                    {"repository": "tool", "tags": ["1"]},
                ],
                "destinations": [{
                    "name": "destination", "registry": destination, "insecure": true,
                    "repository": repository,
                }],
                "interval": "1h",
            },
        });
        let mirrors = self
            .client()
            .path("imir", Some(self.namespace.name()))
            .await;
        let created = self.client().create(&mirrors, &object).await;
        created.assert_success();
    }

    /// The registry of the source.
    pub(super) fn source(&self) -> String {
        self.source.registry.host()
    }

    /// Where a repository is at the destination.
    pub(super) fn place(&self, repository: &str) -> String {
        format!("{}/{repository}", self.namespace.name())
    }

    /// Where the images are at the destination: repositories and tags.
    pub(super) fn places(&self) -> Vec<(String, &'static str)> {
        let images = self.source.images.iter();
        images
            .map(|(repository, tag, _)| (self.place(repository), *tag))
            .collect()
    }

    /// A replica with an account of its own.
    pub(super) async fn replica(&self, name: &str) -> Replica {
        let namespace = self.namespace.name();
        self.grant(name).await;
        let token = self.namespace.plane().token_for(namespace, name).await;
        let user = format!("system:serviceaccount:{namespace}:{name}");
        self.replica_of(user, &token)
    }

    /// A replica that shares the work with others.
    pub(super) async fn member(&self, name: &str, shards: u8) -> Replica {
        let replica = self.replica(name).await;
        let right = [RIGHT_TO_SHARE.to_owned(), self.binding(MEMBER, name)];
        self.namespace.apply(&right.join("\n---\n")).await;
        let options = replica.options.argument(&format!("--shards={shards}"));
        Replica { options, ..replica }
    }

    /// A replica with every right.
    pub(super) fn almighty_replica(&self) -> Replica {
        self.replica_of("admin".to_owned(), self.namespace.plane().admin_token())
    }

    fn replica_of(&self, user: String, token: &str) -> Replica {
        let proxy = ApiProxy::in_front_of(self.namespace.plane());
        let options = Controller::options(&proxy.kubeconfig_for(token));
        Replica {
            user,
            proxy,
            options: options.namespace(self.namespace.name()),
        }
    }

    /// A role for an account.
    fn binding(&self, role: &str, account: &str) -> String {
        let group = "rbac.authorization.k8s.io";
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
            "metadata": {"name": format!("{role}-{account}")},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
            "subjects": [{
                "kind": "ServiceAccount", "name": account, "namespace": self.namespace.name(),
            }],
        })
        .to_string()
    }

    /// Creates an account with the rights of a controller.
    async fn grant(&self, account: &str) {
        let service_account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account},
        });
        let documents = [
            RIGHTS.to_owned(),
            RIGHT_TO_RECORD.to_owned(),
            service_account.to_string(),
            self.binding(CONTROLLER, account),
            self.binding(RECORDER, account),
        ];
        self.namespace.apply(&documents.join("\n---\n")).await;
    }

    /// Gives an account the right to put on record what is pushed, or takes it away, and waits until the
    /// API server knows.
    pub(super) async fn let_record(&self, account: &str, may: bool) {
        let name = format!("{RECORDER}-{account}");
        if may {
            self.namespace.apply(&self.binding(RECORDER, account)).await;
        } else {
            let path = self.namespace.path("rolebinding", &name).await;
            self.client().delete(&path).await.assert_success();
        }
        let user = format!("system:serviceaccount:{}:{account}", self.namespace.name());
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "user": user, "resourceAttributes": {
                "namespace": self.namespace.name(), "verb": "patch",
                "group": "transship.dev", "resource": "mirroredrepositories",
            },
        }});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let deadline = Instant::now() + PATIENCE;
        while self.client().create(path, &review).await.assert_success()["status"]["allowed"] != may
        {
            assert!(
                Instant::now() < deadline,
                "the right of {account} stays as it was"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the mirror is ready.
    pub(super) async fn wait_until_ready(&self) -> Value {
        self.wait_until_one_is_ready(MIRROR).await
    }

    /// The same for a mirror of this name.
    pub(super) async fn wait_until_one_is_ready(&self, name: &str) -> Value {
        let namespace = self.namespace();
        namespace
            .wait_for_condition("imir", name, "Ready", "True")
            .await
    }

    /// Asks for a round now, and waits until it was made.
    pub(super) async fn wait_for_round(&self, request: &str) -> Value {
        self.ask_for_round(request).await;
        let is_handled = |mirror: &Value| mirror["status"]["lastHandledReconcileAt"] == request;
        self.namespace
            .wait_for("imir", MIRROR, request, is_handled)
            .await
    }

    /// Asks for a round now.
    pub(super) async fn ask_for_round(&self, request: &str) {
        self.ask_one_for_round(MIRROR, request).await;
    }

    /// The same of a mirror of this name.
    pub(super) async fn ask_one_for_round(&self, name: &str, request: &str) {
        let change = json!({"metadata": {"annotations": {"transship.dev/reconcile-at": request}}});
        let path = self.namespace.path("imir", name).await;
        self.client().merge(&path, &change).await.assert_success();
    }

    /// Who holds the lease; nobody where there is none.
    pub(super) async fn holder(&self) -> String {
        let lease = self.namespace.json("lease", LEASE).await;
        let holder = lease.map(|lease| lease["spec"]["holderIdentity"].clone());
        holder
            .and_then(|holder| holder.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Waits until this holder has written the lease once more.
    pub(super) async fn wait_for_renewal(&self, holder: &str) -> Value {
        let before = self
            .namespace
            .json("lease", LEASE)
            .await
            .unwrap_or_default();
        let is_renewed = |lease: &Value| {
            lease["spec"]["holderIdentity"] == holder
                && lease["spec"]["renewTime"] != before["spec"]["renewTime"]
        };
        self.namespace
            .wait_for("lease", LEASE, "renewed", is_renewed)
            .await
    }

    /// Goes on only if everything is at the destination as it is at the source.
    pub(super) async fn assert_mirrored(&self, destination: &Client) {
        for (repository, tag, image) in &self.source.images {
            let repository = self.place(repository);
            let found = destination.resolve_digest(&repository, tag).await.unwrap();
            assert_eq!(found.as_deref(), Some(image.digest()), "{repository}:{tag}");
        }
    }

    /// Requests that stand in no audit log.
    pub(super) fn client(&self) -> &ApiClient {
        self.namespace.plane().client()
    }
}

impl Replica {
    /// Starts it.
    pub(super) async fn start(&self) -> Controller {
        self.options.clone().start().await
    }

    /// The same with an argument more.
    pub(super) fn with(self, argument: &str) -> Self {
        let options = self.options.argument(argument);
        Self { options, ..self }
    }

    /// Starts it, and waits until it is the one that acts.
    pub(super) async fn lead(&self) -> Controller {
        let controller = self.start().await;
        controller.wait_for_log(is_holding).await;
        controller
    }

    /// Its way to the API server.
    pub(super) fn proxy(&self) -> &ApiProxy<'static> {
        &self.proxy
    }

    /// How many requests it sent to the API server so far, but for those about its lease.
    pub(super) fn requests(&self) -> usize {
        let requests = self.proxy.requests();
        let counted = requests
            .iter()
            .filter(|request| !request.path.contains("/leases"));
        counted.count()
    }

    /// What it wrote to the API server so far.
    pub(super) async fn writes(&self, scene: &Scene) -> Vec<Entry> {
        let mut entries = scene.namespace.plane().audit_of(&self.user).await;
        entries.retain(Entry::is_write);
        entries
    }
}

/// Whether a line of the log says that the process acts from now on.
pub(super) fn is_holding(line: &Value) -> bool {
    line["message"] == "holding the lease"
}

/// Waits until it is so.
///
/// # Panics
/// If it does not come to that.
pub(super) async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(POLL).await;
    }
}
