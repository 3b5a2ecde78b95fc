// SPDX-License-Identifier: Apache-2.0

//! A real Kubernetes control plane on this machine, and the controller that works against it.
//!
//! | module | is |
//! |---|---|
//! | `control_plane` | etcd, kube-apiserver and kube-controller-manager, with kubectl and helm |
//! | `namespace` | a test's own place in a shared control plane |
//! | `api_client` | the harness's own requests, which the audit log leaves out |
//! | `audit` | who asked the API server for what |
//! | `api_proxy` | a way to the API server that fails as told and tells of every change |
//! | `node`, `images` | a real node that runs pods; what it runs |
//! | `controller` | the program under test, as a controller |
//!
//! ```ignore
//! let plane = ControlPlane::shared().await;
//! let namespace = plane.namespace("moving-tag").await;
//! namespace.apply(&mirror).await;
//! let controller = Controller::options(plane.kubeconfig()).namespace(namespace.name()).start().await;
//! namespace.wait_for_condition("imir", "mirror", "Ready", "True").await;
//! ```

pub mod api_client;
pub mod api_proxy;
pub mod audit;
pub mod control_plane;
pub mod controller;
pub mod images;
mod kubeconfig;
pub mod namespace;
pub mod node;
mod programs;

pub use api_client::{Answer, ApiClient};
pub use api_proxy::ApiProxy;
pub use control_plane::ControlPlane;
pub use controller::Controller;
pub use namespace::Namespace;
pub use node::Node;
