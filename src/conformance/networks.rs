//! Networks: create, look, list, connect, disconnect, remove, prune.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::objects::{GROUP, internal, network_name, pruned, with_first_of, with_network};
use super::scratch::{
    CONFLICT, assert_refused, eventually, exec, idle, inspect, key, shell, unique_name,
    with_running,
};
use crate::backend::ContainerBackend;
use crate::error::ErrorKind;
use crate::model::{
    Cidr, ConnectOptions, ContainerRef, ContainerSpec, DisconnectOptions, ImageRef,
    ListNetworksOptions, NetworkMode, NetworkRef, PruneNetworksOptions, Subnet,
};
use crate::operation::Operation;

/// What engines answer where something is on a network that shouldn't be, or the other way round:
/// Docker's 403, Podman's 409, and 500 on either.
const IN_THE_WAY: &[ErrorKind] = &[ErrorKind::Denied, ErrorKind::Conflict, ErrorKind::Engine];

fn on(network: &NetworkRef, mut spec: ContainerSpec) -> ContainerSpec {
    spec.security.network = Some(NetworkMode::Network(network.clone()));
    spec
}

/// Sixteen addresses of the block for benchmarks (RFC 2544), which no real network has; each caller others.
fn block() -> (Subnet, Ipv4Addr) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let start = since.unwrap_or_default().subsec_micros();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let first = u32::from(Ipv4Addr::new(198, 18, 0, 0));
    let first = first + start.wrapping_add(count) % (1 << 13) * 16;
    let address = |host| IpAddr::from(Ipv4Addr::from(first + host));
    let block = |host, prefix| Cidr::of(address(host), prefix).expect("a block");
    let subnet = Subnet::new(block(0, 28))
        .with_ip_range(block(8, 29))
        .with_gateway(address(1));
    (subnet, Ipv4Addr::from(first + 9))
}

/// Runs the check on a network of known addresses: the network's name, its block and a free address.
async fn with_addresses<F: Future<Output = ()>>(
    backend: &dyn ContainerBackend,
    check: impl FnOnce(NetworkRef, Subnet, Ipv4Addr) -> F,
) {
    // Somebody else's may overlap.
    let blocks: Vec<_> = (0..8).map(|_| block()).collect();
    let spec = internal();
    let wishes = blocks
        .iter()
        .map(|(subnet, _)| spec.clone().with_subnet(*subnet));
    let wishes: Vec<_> = wishes.collect();
    with_first_of(backend, &wishes, |spec, _| {
        let taken = blocks.iter().find(|(block, _)| spec.subnets == [*block]);
        let (subnet, free) = *taken.expect("one of them");
        check(spec.name, subnet, free)
    })
    .await;
}

/// A network is made, shown by name and by id, listed by what it is, and gone after its removal.
///
/// # Panics
/// Where it isn't so.
pub async fn network_from_creation_to_removal(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let group = unique_name().to_string();
    let spec = internal().with_label(GROUP, &group);
    let spec = spec.expect("a label's key");
    let name = spec.name.clone();
    let by = |label: &str, value: &str| {
        ListNetworksOptions::default().with_label(key(label), value.to_owned())
    };
    with_network(backend, spec, |id| async move {
        let list = async |options: ListNetworksOptions| {
            let listed = backend.list_networks(&options).await.expect("a list");
            listed.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        let details = backend.inspect_network(&name).await.expect("it is shown");
        let by_id = backend.inspect_network(&id).await.expect("it is shown");
        assert_eq!(by_id, details, "by its id");
        let network = &details.network;
        assert_eq!(
            (&network.id, network.name.as_str(), network.driver.as_str()),
            (&id, name.as_str(), "bridge")
        );
        assert!(network.internal && !network.ipv6, "{network:?}");
        assert_eq!(network.labels[GROUP], group);
        assert!(
            network.created.is_some() && network.subnets.len() == 1,
            "{network:?}"
        );
        assert!(details.members.is_empty(), "nobody is on it");

        let all = || by(GROUP, &group);
        let here = std::slice::from_ref(&id);
        let beginning = NetworkRef::new(&name.as_str()[..name.as_str().len() - 1]).expect("a name");
        for (what, options, found) in [
            ("a label", all(), true),
            ("another value", by(GROUP, "other"), false),
            ("its name", all().with_name(name.clone()), true),
            ("its name's beginning", all().with_name(beginning), false),
            ("its driver", all().with_driver("bridge"), true),
            ("another driver", all().with_driver("macvlan"), false),
        ] {
            let expected = if found { here } else { &[] };
            assert_eq!(list(options).await, expected, "a list by {what}");
        }
        let shown = backend.list_networks(&all()).await.expect("a list");
        assert_eq!(shown.first(), Some(network), "a list shows the same");

        backend.remove_network(&id).await.expect("a removal");
        let error = backend.inspect_network(&id).await.expect_err("it is gone");
        assert_refused(&error, &[ErrorKind::NotFound], "a look at what is gone");
        assert!(list(all()).await.is_empty(), "it is gone");
    })
    .await;
}

/// A network has the addresses and options that were asked for.
///
/// # Panics
/// Where it hasn't.
pub async fn network_gets_what_was_asked(backend: &dyn ContainerBackend, _image: &ImageRef) {
    const MTU: &str = "com.docker.network.driver.mtu";
    with_addresses(backend, |name, subnet, _| async move {
        let details = backend.inspect_network(&name).await.expect("it is shown");
        assert_eq!(details.network.subnets, [subnet]);
    })
    .await;
    let spec = internal().with_driver("bridge").with_option(MTU, "1400");
    with_network(backend, spec, |id| async move {
        let details = backend.inspect_network(&id).await.expect("it is shown");
        // Podman has a name of its own for it.
        let options = &details.network.options;
        let shown = options.get(MTU).or_else(|| options.get("mtu"));
        assert_eq!(shown, Some("1400"), "{options:?}");
    })
    .await;
}

/// Containers reach each other, by the other's alias, where they are on one network, and not otherwise.
///
/// # Panics
/// Where it isn't so.
pub async fn networks_join_containers(backend: &dyn ContainerBackend, image: &ImageRef) {
    with_network(backend, internal(), |first| async move {
        with_network(backend, internal(), |second| async move {
            let server = shell(image, "while :; do echo hello | nc -l -p 8080; done");
            with_running(backend, on(&first, server), |server| async move {
                let client = on(&second, idle(image));
                with_running(backend, client, |client| async move {
                    joined(backend, &second, &server, &client).await;
                })
                .await;
            })
            .await;
        })
        .await;
    })
    .await;
}

async fn joined(
    backend: &dyn ContainerBackend,
    network: &NetworkRef,
    server: &ContainerRef,
    client: &ContainerRef,
) {
    const ASK: &str = "timeout 4 nc greeter 8080 < /dev/null";
    let apart = exec(backend, client, ASK).await;
    assert!(!apart.success(), "they are apart: {apart:?}");
    let alias = ConnectOptions::default().with_alias("greeter");
    let connected = backend.connect_network(network, server, &alias).await;
    connected.expect("a connection");
    // The server may not listen yet.
    let answer = eventually("the other is reached by its alias", || async {
        let asked = exec(backend, client, ASK).await;
        // Its answer may come after its end.
        (asked.success() && !asked.stdout.is_empty()).then_some(asked.stdout)
    });
    assert_eq!(answer.await, "hello\n");

    let again = backend.connect_network(network, server, &alias).await;
    if let Err(error) = again {
        // Podman takes it for done.
        assert_refused(&error, IN_THE_WAY, "a second connection");
    }
    let gently = DisconnectOptions::default();
    let disconnected = backend.disconnect_network(network, server, &gently).await;
    disconnected.expect("a disconnection");
    let apart = exec(backend, client, ASK).await;
    assert!(!apart.success(), "they are apart again: {apart:?}");
    let details = backend.inspect_network(network).await.expect("it is shown");
    let members: Vec<_> = details.members.keys().collect();
    assert_eq!(members, [client.as_str()], "who is on it");
}

/// A container has the address and the aliases on a network that were asked for, by its own word and
/// the network's.
///
/// # Panics
/// Where it hasn't.
pub async fn address_and_aliases_are_the_containers(
    backend: &dyn ContainerBackend,
    image: &ImageRef,
) {
    with_network(backend, internal(), |first| async move {
        with_addresses(backend, |name, subnet, free| async move {
            with_running(backend, on(&first, idle(image)), |id| async move {
                let options = ConnectOptions::default()
                    .with_alias("db")
                    .with_alias("db.example")
                    .with_ipv4_address(free);
                let connected = backend.connect_network(&name, &id, &options).await;
                connected.expect("a connection");
                let details = inspect(backend, &id).await;
                let network = backend.inspect_network(&name).await.expect("it is shown");
                let attachment = &details.networks[name.as_str()];
                assert_eq!(attachment.ip_address, Some(free.into()));
                // Newer Dockers give what is internal no way out.
                assert!(attachment.gateway.is_none() || attachment.gateway == subnet.gateway);
                let id_there = attachment.network_id.as_deref();
                assert_eq!(id_there, Some(network.network.id.as_str()));
                for alias in &options.aliases {
                    assert!(attachment.aliases.contains(alias), "{attachment:?}");
                }
                let member = &network.members[id.as_str()];
                assert_eq!(
                    (&member.name, member.ipv4_address),
                    (&details.name, Some(free))
                );
                assert!(member.mac_address.is_some() && member.ipv6_address.is_none());
            })
            .await;
        })
        .await;
    })
    .await;
}

/// A name is borne by one network.
///
/// # Panics
/// Where a second gets it.
pub async fn network_names_conflict(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let spec = internal();
    with_network(backend, spec.clone(), |id| async move {
        let error = backend
            .create_network(&spec)
            .await
            .expect_err("it is taken");
        assert_refused(&error, CONFLICT, "a second network of a name");
        let options = ListNetworksOptions::default().with_name(spec.name);
        let listed = backend.list_networks(&options).await.expect("a list");
        let ids: Vec<_> = listed.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, [id], "there is one of the name");
    })
    .await;
}

/// A network that a running container is on is neither removed nor pruned.
///
/// # Panics
/// Where it is.
pub async fn network_in_use_stays(backend: &dyn ContainerBackend, image: &ImageRef) {
    let group = unique_name().to_string();
    let spec = internal().with_label(GROUP, &group);
    with_network(backend, spec.expect("a label's key"), |id| async move {
        with_running(backend, on(&id, idle(image)), |container| async move {
            let error = backend.remove_network(&id).await.expect_err("it is used");
            assert_refused(&error, IN_THE_WAY, "the removal of a used network");
            let options = PruneNetworksOptions::default().with_label(key(GROUP), group.clone());
            let report = pruned(|| backend.prune_networks(&options)).await;
            assert!(report.removed.is_empty(), "{report:?}");
            let details = backend.inspect_network(&id).await.expect("it is there");
            assert!(details.members.contains_key(container.as_str()));
        })
        .await;
    })
    .await;
}

/// A prune takes the unused networks that bear the label, and spares those that bear another, or that
/// were made later.
///
/// # Panics
/// Where it doesn't.
pub async fn prune_takes_the_unused_by_label(backend: &dyn ContainerBackend, _image: &ImageRef) {
    let group = unique_name().to_string();
    let member = |role: &str| {
        internal()
            .with_label(GROUP, &group)
            .and_then(|spec| spec.with_label("role", role))
            .expect("labels")
    };
    let (goes, stays) = (member("goes"), member("stays"));
    let name = goes.name.to_string();
    with_network(backend, goes, |goes| async move {
        with_network(backend, stays, |stays| async move {
            let of_group = PruneNetworksOptions::default().with_label(key(GROUP), group.clone());
            let old = of_group.clone().with_until(UNIX_EPOCH);
            let report = pruned(|| backend.prune_networks(&old)).await;
            assert!(report.removed.is_empty(), "none is so old: {report:?}");

            let options = of_group.without_label(key("role"), "stays".to_owned());
            let report = pruned(|| backend.prune_networks(&options)).await;
            assert_eq!((report.removed, report.reclaimed), (vec![name], 0));
            let error = backend.inspect_network(&goes).await.expect_err("gone");
            assert_refused(&error, &[ErrorKind::NotFound], "a look at what is gone");
            backend.inspect_network(&stays).await.expect("it is there");
        })
        .await;
    })
    .await;
}

/// Every operation on a network that isn't there fails as `NotFound`, and so does connecting a
/// container that isn't there.
///
/// # Panics
/// Where one doesn't.
pub async fn absent_network_is_not_found(backend: &dyn ContainerBackend, image: &ImageRef) {
    let none = network_name();
    // Of one that doesn't run, Docker takes any name of a network, and fails its start.
    with_running(backend, idle(image), |id| async move {
        let (connect, disconnect) = (ConnectOptions::default(), DisconnectOptions::default());
        let nobody = ContainerRef::from(unique_name());
        for (operation, error) in [
            (
                Operation::InspectNetwork,
                backend.inspect_network(&none).await.err(),
            ),
            (
                Operation::ConnectNetwork,
                backend.connect_network(&none, &id, &connect).await.err(),
            ),
            (
                Operation::DisconnectNetwork,
                backend
                    .disconnect_network(&none, &id, &disconnect)
                    .await
                    .err(),
            ),
            (
                Operation::RemoveNetwork,
                backend.remove_network(&none).await.err(),
            ),
            (
                Operation::ConnectNetwork,
                backend
                    .connect_network(&none, &nobody, &connect)
                    .await
                    .err(),
            ),
        ] {
            let error = error.unwrap_or_else(|| panic!("{operation} of no network fails"));
            let what = format!("{operation} of no network");
            assert_refused(&error, &[ErrorKind::NotFound], &what);
            let subject = error.subject().unwrap_or_default();
            assert_eq!(error.operation(), Some(operation));
            assert!(subject.starts_with(none.as_str()), "{error}");
        }
    })
    .await;
    with_network(backend, internal(), |id| async move {
        let nobody = ContainerRef::from(unique_name());
        let options = ConnectOptions::default();
        let connected = backend.connect_network(&id, &nobody, &options).await;
        let error = connected.expect_err("nobody is there");
        assert_refused(&error, &[ErrorKind::NotFound], "nobody's connection");
        assert!(error.to_string().contains(nobody.as_str()), "{error}");
    })
    .await;
}
