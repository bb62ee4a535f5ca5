//! Strategies for everything that networks and volumes can be asked to be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use catamaran::Operation;
use catamaran::model::{
    Cidr, ConnectOptions, DisconnectOptions, DriverOptions, ListNetworksOptions,
    ListVolumesOptions, NetworkRef, NetworkSpec, PruneNetworksOptions, PruneVolumesOptions,
    RemoveVolumeOptions, Subnet, VolumeName, VolumeSpec,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use crate::calls::{Call, filters};
use crate::words;

fn network() -> impl Strategy<Value = NetworkRef> {
    words::container().prop_map(|name| NetworkRef::new(name).expect("a name"))
}

fn volume() -> impl Strategy<Value = VolumeName> {
    words::name().prop_map(|name| VolumeName::new(name).expect("a name"))
}

fn driver() -> impl Strategy<Value = Option<String>> {
    option::of(prop_oneof![8 => "[!-~]{1,12}", 1 => words::text()])
}

fn driver_options() -> impl Strategy<Value = DriverOptions> {
    words::options().prop_map(DriverOptions::from_iter)
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::from),
        any::<Ipv6Addr>().prop_map(IpAddr::from),
    ]
}

/// Some block, mostly one that begins where it should, with a gateway that mostly lies in it.
fn subnet() -> impl Strategy<Value = Subnet> {
    let block = (address(), 0..=128u8, 0..8u8);
    let within = (option::of(0..=128u8), option::of(option::of(address())));
    (block, within).prop_map(|((address, prefix, odd), (range, gateway))| {
        let (width, bits) = match address {
            IpAddr::V4(address) => (32u8, u128::from(u32::from(address)) << 96),
            IpAddr::V6(address) => (128, address.into()),
        };
        let prefix = prefix.min(width);
        let kept = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        let bits = if odd == 0 { bits } else { bits & kept };
        let first = match address {
            IpAddr::V4(_) => {
                let bits = u32::try_from(bits >> 96).expect("32 bits");
                IpAddr::from(Ipv4Addr::from(bits))
            }
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::from(bits)),
        };
        let mut subnet = Subnet::new(Cidr::of(first, prefix).expect("a block"));
        subnet.ip_range = range.and_then(|range| Cidr::of(first, range.min(width).max(prefix)));
        subnet.gateway = gateway.map(|gateway| gateway.filter(|_| odd < 2).unwrap_or(first));
        subnet
    })
}

fn network_spec() -> impl Strategy<Value = NetworkSpec> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let labels = btree_map(words::label(), words::text(), 0..3);
    let given = (driver(), driver_options(), labels);
    (network(), flags, given, vec(subnet(), 0..3)).prop_map(
        |(name, (internal, attachable, ipv6), (driver, options, labels), subnets)| {
            let mut spec = NetworkSpec::new(name)
                .with_internal(internal)
                .with_attachable(attachable)
                .with_ipv6(ipv6);
            (spec.driver, spec.options) = (driver, options);
            (spec.labels, spec.subnets) = (labels, subnets);
            spec
        },
    )
}

fn volume_spec() -> impl Strategy<Value = VolumeSpec> {
    let labels = btree_map(words::label(), words::text(), 0..3);
    (option::of(volume()), driver(), driver_options(), labels).prop_map(
        |(name, driver, options, labels)| {
            let mut spec = VolumeSpec::new();
            (spec.name, spec.driver) = (name, driver);
            (spec.options, spec.labels) = (options, labels);
            spec
        },
    )
}

fn connect() -> impl Strategy<Value = ConnectOptions> {
    let alias = prop_oneof![8 => "[a-z0-9._-]{1,8}", 1 => words::text()];
    (
        vec(alias, 0..3),
        option::of(any::<Ipv4Addr>()),
        option::of(any::<Ipv6Addr>()),
    )
        .prop_map(|(aliases, ipv4, ipv6)| {
            let mut options = ConnectOptions::default()
                .with_ipv4_address(ipv4)
                .with_ipv6_address(ipv6);
            options.aliases = aliases;
            options
        })
}

fn list_networks() -> impl Strategy<Value = ListNetworksOptions> {
    (filters(), vec(network(), 0..3), driver()).prop_map(|(labels, names, driver)| {
        let mut options = ListNetworksOptions::default();
        (options.labels, options.names) = (labels, names);
        options.driver = driver;
        options
    })
}

fn list_volumes() -> impl Strategy<Value = ListVolumesOptions> {
    let dangling = option::of(any::<bool>());
    (filters(), vec(volume(), 0..3), driver(), dangling).prop_map(
        |(labels, names, driver, dangling)| {
            let mut options = ListVolumesOptions::default().with_dangling(dangling);
            (options.labels, options.names) = (labels, names);
            options.driver = driver;
            options
        },
    )
}

/// Any call of an operation on networks or volumes.
///
/// # Panics
/// For an operation that nothing here knows: every one is held to parity.
pub fn call(operation: Operation) -> BoxedStrategy<Call> {
    use Operation as O;
    let (id, flag) = (words::container, any::<bool>);
    match operation {
        O::CreateNetwork => network_spec().prop_map(Call::CreateNetwork).boxed(),
        O::InspectNetwork => network().prop_map(Call::InspectNetwork).boxed(),
        O::ListNetworks => list_networks().prop_map(Call::ListNetworks).boxed(),
        O::ConnectNetwork => (network(), id(), connect())
            .prop_map(|(network, id, options)| Call::ConnectNetwork(network, id, options))
            .boxed(),
        O::DisconnectNetwork => (network(), id(), flag())
            .prop_map(|(network, id, force)| {
                let options = DisconnectOptions::default().with_force(force);
                Call::DisconnectNetwork(network, id, options)
            })
            .boxed(),
        O::RemoveNetwork => network().prop_map(Call::RemoveNetwork).boxed(),
        O::PruneNetworks => (filters(), filters(), option::of(words::moment()))
            .prop_map(|(labels, without, until)| {
                let mut options = PruneNetworksOptions::default().with_until(until);
                (options.labels, options.without_labels) = (labels, without);
                Call::PruneNetworks(options)
            })
            .boxed(),
        O::CreateVolume => volume_spec().prop_map(Call::CreateVolume).boxed(),
        O::InspectVolume => volume().prop_map(Call::InspectVolume).boxed(),
        O::ListVolumes => list_volumes().prop_map(Call::ListVolumes).boxed(),
        O::RemoveVolume => (volume(), flag())
            .prop_map(|(name, force)| {
                let options = RemoveVolumeOptions::default().with_force(force);
                Call::RemoveVolume(name, options)
            })
            .boxed(),
        O::PruneVolumes => (filters(), filters(), flag())
            .prop_map(|(labels, without, all)| {
                let mut options = PruneVolumesOptions::default().with_all(all);
                (options.labels, options.without_labels) = (labels, without);
                Call::PruneVolumes(options)
            })
            .boxed(),
        other => panic!("nothing here holds {other} to parity"),
    }
}
