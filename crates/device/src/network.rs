//! Whether downloading may cost the person something.

use std::fs;
use std::path::Path;

/// What the way to the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// A cable, or a virtual machine's network.
    Cable,
    /// Wi-Fi.
    Wifi,
    /// A mobile network.
    Cellular,
    /// There is none.
    None,
    /// It cannot be told: a tunnel, or a system that does not say.
    Unknown,
}

/// What the default route goes over. Known on Linux; [`NetworkKind::Unknown`] elsewhere, where only the platform's own
/// services tell. Android keeps its default routes in other tables and mostly does not let an app read them: what is found
/// there counts, that nothing is found says nothing.
#[must_use]
pub fn network_kind() -> NetworkKind {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return NetworkKind::Unknown;
    }
    match kind_in(Path::new("/")) {
        NetworkKind::None if cfg!(target_os = "android") => NetworkKind::Unknown,
        kind => kind,
    }
}

fn kind_in(root: &Path) -> NetworkKind {
    let routes = ["route", "ipv6_route"].map(|name| fs::read_to_string(root.join("proc/net").join(name)).ok());
    if routes.iter().all(Option::is_none) {
        return NetworkKind::Unknown;
    }
    let [v4, v6] = routes.map(Option::unwrap_or_default);
    let Some(interface) = default_interface(&v4, &v6) else { return NetworkKind::None };
    let folder = root.join("sys/class/net").join(&interface);
    // Names that drivers of modems use.
    let modem = ["wwan", "rmnet", "ccmni", "ppp", "pdp"].iter().any(|prefix| interface.starts_with(prefix));
    if modem {
        NetworkKind::Cellular
    } else if folder.join("wireless").exists() || folder.join("phy80211").exists() {
        NetworkKind::Wifi
    } else if folder.join("device").exists() {
        NetworkKind::Cable
    } else {
        NetworkKind::Unknown
    }
}

/// The interface of the default route with the lowest metric, of IPv4 or else of IPv6.
fn default_interface(v4: &str, v6: &str) -> Option<String> {
    // Interface, destination, gateway, flags, reference count, use, metric, mask …; see proc(5). `*` is a route that refuses.
    let v4 = v4.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [name, "00000000", _, _, _, _, metric, "00000000", ..] = fields[..] else { return None };
        Some((metric.parse::<u64>().ok().filter(|_| name != "*")?, name.to_owned()))
    });
    if let Some((_, name)) = v4.min() {
        return Some(name);
    }
    // Destination, its prefix's length, source, its prefix's length, next hop, metric …, interface last.
    let v6 = v6.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, "00", _, _, _, metric, .., name] = fields[..] else { return None };
        let is_default = destination.bytes().all(|b| b == b'0') && name != "lo";
        Some((u64::from_str_radix(metric, 16).ok().filter(|_| is_default)?, name.to_owned()))
    });
    v6.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

    fn machine(routes: &str, marks: &[&str]) -> NetworkKind {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/net")).unwrap();
        fs::write(root.path().join("proc/net/route"), format!("{HEAD}{routes}")).unwrap();
        for mark in marks {
            fs::create_dir_all(root.path().join("sys/class/net").join(mark)).unwrap();
        }
        kind_in(root.path())
    }

    fn route(interface: &str, metric: u32) -> String {
        format!("{interface}\t00000000\t0101A8C0\t0003\t0\t0\t{metric}\t00000000\t0\t0\t0\n")
    }

    #[test]
    fn the_default_route_decides() {
        let both = route("wlan0", 600) + &route("eth0", 100);
        let marks = ["wlan0/wireless", "wlan0/device", "eth0/device"];
        assert_eq!(machine(&both, &marks), NetworkKind::Cable, "the lower metric");
        assert_eq!(machine(&route("wlan0", 600), &marks), NetworkKind::Wifi);
        assert_eq!(machine(&route("rmnet_data0", 0), &["rmnet_data0/device"]), NetworkKind::Cellular);
        assert_eq!(machine(&route("tun0", 0), &["tun0"]), NetworkKind::Unknown, "whatever is below the tunnel");
        let local = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(machine(local, &marks), NetworkKind::None, "no way out");
        assert_eq!(machine("garbage\n\t\t\n", &[]), NetworkKind::None);
        assert_eq!(machine(&route("*", 0), &[]), NetworkKind::None, "a route that refuses");
    }

    #[test]
    fn routes_that_cannot_be_read_are_not_taken_for_none() {
        assert_eq!(kind_in(tempfile::tempdir().unwrap().path()), NetworkKind::Unknown);
    }

    #[test]
    fn ipv6_alone_is_a_network_too() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/net")).unwrap();
        fs::create_dir_all(root.path().join("sys/class/net/wlan0/phy80211")).unwrap();
        let zero = "0".repeat(32);
        let routes = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003 wlan0\n{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
        );
        fs::write(root.path().join("proc/net/ipv6_route"), routes).unwrap();
        assert_eq!(kind_in(root.path()), NetworkKind::Wifi);
    }
}
