// SPDX-License-Identifier: Apache-2.0

//! A real node: the scheduler, a kubelet, containerd and runc. It lives where a test is apart from the machine, and ends
//! with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::apart::Apart;
use super::super::process::Daemon;
use super::super::program::Program;
use super::super::proxy::DelayProxy;
use super::super::registries::Registry;
use super::super::tools;
use super::control_plane::ControlPlane;
use super::images;
use super::programs::SERVICE;

/// What the node is called.
pub const NAME: &str = "node";

/// Its address, as its pods and itself reach it.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// How long things may take here before somebody says that they do not happen.
const PATIENCE: &str = "--timeout=300s";

const BUILT: [&str; 4] = [
    "kubelet",
    "kube-scheduler",
    "containerd",
    "containerd-shim-runc-v2",
];
const PACKAGED: [&str; 4] = ["runc", "ptp", "ip", "musl-gcc"];

/// Gives the network that a test has to itself the node's addresses, and makes what a kubelet would write about the
/// machine's memory look written: all of it in the test's own mounts.
const PREPARE: &str = r#"set -e
ip addr add "$1/32" dev lo
ip link add node0 type veth peer name node1
ip link set node1 up
ip addr add "$2/24" dev node0
ip link set node0 up
ip route add default dev node0
while read -r value place; do
  file=$0/$(basename "$place")
  printf %s "$value" >"$file"
  mount --bind "$file" "/proc/sys/$place"
done <<LIST
1 vm/overcommit_memory
0 vm/panic_on_oom
10 kernel/panic
1 kernel/panic_on_oops
1000000 kernel/keys/root_maxkeys
25000000 kernel/keys/root_maxbytes
LIST
"#;

/// A running node. It ends when dropped; its pods end with the test.
pub struct Node<'a> {
    plane: &'a ControlPlane,
    directory: PathBuf,
    relays: Vec<DelayProxy>,
    daemons: Vec<Daemon>,
}

/// The first of what a node needs and this machine does not have.
pub fn missing() -> Option<String> {
    let built = BUILT
        .into_iter()
        .find(|name| tools::find_built(name).is_none());
    let packaged = PACKAGED
        .into_iter()
        .find(|name| tools::find_packaged(name).is_none());
    built.or(packaged).map(str::to_owned)
}

impl<'a> Node<'a> {
    /// Starts a node that takes its images from this registry, and says how that is called there.
    pub async fn start(
        apart: &Apart,
        plane: &'a ControlPlane,
        registry: &Registry,
    ) -> (Self, String) {
        let directory = apart.directory().join("node");
        for name in ["sys", "network", "scheduler", "containerd", "kubelet"] {
            fs::create_dir_all(directory.join(name)).expect("a directory");
        }
        let prepare = Program::at(Path::new("sh"), &["-c", PREPARE])
            .argument(directory.join("sys"))
            .argument(SERVICE.to_string())
            .argument(ADDRESS.to_string());
        prepare.run().await.assert_success();
        let api = DelayProxy::at((SERVICE, 443).into(), plane.address());
        let mut node = Self {
            plane,
            directory,
            relays: vec![api],
            daemons: Vec::new(),
        };
        let host = node.admit(registry.address());
        images::push_pause(registry, "system/pause:1", "sandbox").await;
        node.write_settings(&format!("{host}/system/pause:1"));
        node.start_programs().await;
        node.wait_until_ready().await;
        (node, host)
    }

    /// Lets the node and its pods reach a registry of plain HTTP on the loopback address, and says how that is called there.
    pub fn admit(&mut self, registry: SocketAddr) -> String {
        let address = SocketAddr::from((ADDRESS, registry.port()));
        self.relays.push(DelayProxy::at(address, registry));
        let url = format!("http://{address}");
        let hosts = self.directory.join(format!("registries/{address}"));
        fs::create_dir_all(&hosts).expect("a directory");
        let text = format!(
            "server = \"{url}\"\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
        );
        fs::write(hosts.join("hosts.toml"), text).expect("a file");
        address.to_string()
    }

    /// The memory that the kernel lets a container have, in bytes, by the id that containerd gave it.
    pub fn memory_limit(&self, container: &str) -> u64 {
        let id = container.trim_start_matches("containerd://");
        let root = Path::new("/sys/fs/cgroup");
        let version_1 = format!("memory/k8s.io/{id}/memory.limit_in_bytes");
        let version_2 = format!("k8s.io/{id}/memory.max");
        let limit = [version_1, version_2]
            .iter()
            .find_map(|file| fs::read_to_string(root.join(file)).ok());
        let limit = limit.unwrap_or_else(|| panic!("no cgroup of {container}"));
        limit.trim().parse().expect("a number of bytes")
    }

    async fn start_programs(&mut self) {
        let kubeconfig = format!("--kubeconfig={}", self.plane.kubeconfig().display());
        let settings = [
            &kubeconfig,
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ];
        self.spawn("kube-scheduler", "scheduler", &settings);
        let settings = format!("--config={}", self.text("containerd.toml"));
        let containerd = self.spawn("containerd", "containerd", &[&settings]);
        containerd
            .wait_for(|line| {
                line.contains("containerd successfully booted")
                    .then_some(())
            })
            .await;
        let settings = [
            format!("--config={}", self.text("kubelet.yaml")),
            format!("--root-dir={}", self.text("kubelet")),
            format!("--cert-dir={}", self.text("certificates")),
            format!("--hostname-override={NAME}"),
            // Nobody is there to be asked for it by name.
            format!("--node-ip={ADDRESS}"),
            kubeconfig,
        ];
        self.spawn(
            "kubelet",
            "kubelet",
            &settings.each_ref().map(String::as_str),
        );
    }

    fn spawn(&mut self, program: &str, directory: &str, arguments: &[&str]) -> &mut Daemon {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let built = BUILT.map(|name| {
            let program = tools::built(name);
            program.parent().expect("a directory").to_path_buf()
        });
        let path = built
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain(["/usr/sbin".into()]);
        let path = std::env::join_paths(path).expect("directories");
        let path = path.into_string().expect("a UTF-8 path");
        let environment = BTreeMap::from([("PATH".to_owned(), path)]);
        let directory = self.directory.join(directory);
        let program = tools::built(program);
        let daemon = Daemon::spawn_in(&program, arguments, &directory, &environment);
        self.daemons.push(daemon);
        self.daemons.last_mut().expect("the one just started")
    }

    async fn wait_until_ready(&self) {
        let node = format!("node/{NAME}");
        for condition in ["--for=create", "--for=condition=Ready"] {
            let wait = self
                .plane
                .kubectl(&["wait", condition, PATIENCE, &node])
                .await;
            assert_eq!(wait.code, Some(0), "{}\n{}", wait.stderr, self.told());
        }
    }

    fn write_settings(&self, pause: &str) {
        let write = |name: &str, text: String| {
            fs::write(self.directory.join(name), text).expect("a file");
        };
        write("network/pods.conflist", self.network().to_string());
        write("kubelet.yaml", self.kubelet().to_string());
        let (root, state) = (self.text("root"), self.text("state"));
        let (socket, network) = (self.text("c.sock"), self.text("network"));
        let (plugins, registries) = (tools::NETWORK_PLUGINS, self.text("registries"));
        let containerd = format!(
            r#"version = 2
root = "{root}"
state = "{state}"
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{network}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{registries}"
"#
        );
        write("containerd.toml", containerd);
    }

    /// Each pod has a cable to the node.
    fn network(&self) -> Value {
        let addresses = json!({
            "type": "host-local", "subnet": "10.244.0.0/24", "dataDir": self.text("addresses"),
            "routes": [{"dst": "0.0.0.0/0"}],
        });
        let cable = json!({"type": "ptp", "ipMasq": false, "ipam": addresses});
        json!({"cniVersion": "0.4.0", "name": "pods", "plugins": [cable]})
    }

    /// A kubelet that shares a machine with others: it sets nothing on it, and does not mind that its disk is full.
    fn kubelet(&self) -> Value {
        let unminded = [
            "memory.available",
            "nodefs.available",
            "nodefs.inodesFree",
            "imagefs.available",
        ];
        let unminded: BTreeMap<_, _> = unminded.into_iter().map(|name| (name, "0%")).collect();
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": ADDRESS,
            "readOnlyPort": 0,
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": format!("unix://{}", self.text("c.sock")),
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": false,
            "enforceNodeAllocatable": [],
            "failCgroupV1": false,
            "failSwapOn": false,
            "evictionHard": unminded,
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": false,
            "resolvConf": "",
            "podLogsDir": self.text("logs"),
            "volumePluginDir": self.text("volume-plugins"),
        })
    }

    /// The last that each program and each container said.
    fn told(&self) -> String {
        let mut told = String::new();
        for daemon in &self.daemons {
            let written = daemon.written();
            writeln!(
                told,
                "--- {}\n{}",
                daemon.stderr().display(),
                end_of(&written)
            )
            .unwrap();
        }
        for log in files(&self.directory.join("logs")) {
            let written = fs::read_to_string(&log).unwrap_or_default();
            writeln!(told, "--- {}\n{}", log.display(), end_of(&written)).unwrap();
        }
        told
    }

    fn text(&self, name: &str) -> String {
        let path = self.directory.join(name);
        path.to_str().expect("a UTF-8 path").to_owned()
    }
}

impl Drop for Node<'_> {
    #[expect(
        clippy::print_stderr,
        reason = "who looks for what went wrong has nothing else"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.told());
        }
    }
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
