//! Where the shop's programs listen.

use std::net::{Ipv4Addr, SocketAddr};

use crate::error::Result;
use crate::ports;

/// The listeners of a service and of its sidecars.
#[derive(Clone, Debug)]
pub struct ServiceAddresses {
    /// The business API.
    pub api: SocketAddr,
    /// Health and metrics.
    pub admin: SocketAddr,
    /// Where the sidecar delivers.
    pub inbox: SocketAddr,
    /// The sidecar's own admin port, the first replica's first.
    pub sidecars: Vec<SocketAddr>,
}

/// Every listener of a shop.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// PostgreSQL's port on 127.0.0.1.
    pub postgres: u16,
    /// Kafka's port on 127.0.0.1.
    pub kafka: u16,
    /// The port of Kafka's controller on 127.0.0.1.
    pub kafka_controller: u16,
    /// The public API.
    pub gateway: SocketAddr,
    /// The gateway's health and metrics.
    pub gateway_admin: SocketAddr,
    /// Where events for the gateway are delivered.
    pub gateway_inbox: SocketAddr,
    /// The admin port of the gateway's sidecar.
    pub gateway_sidecar: SocketAddr,
    /// The orders service.
    pub orders: ServiceAddresses,
    /// The payments service.
    pub payments: ServiceAddresses,
    /// The web interface.
    pub ui: SocketAddr,
}

impl Addresses {
    /// The ports of `make run`. No other machine reaches them, as anyone may sign in as anyone.
    pub fn fixed() -> Self {
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            postgres: 15432,
            kafka: 19092,
            kafka_controller: 19093,
            gateway: local(8080),
            gateway_admin: local(9080),
            gateway_inbox: local(8090),
            gateway_sidecar: local(9180),
            orders: ServiceAddresses {
                api: local(8081),
                admin: local(9081),
                inbox: local(8091),
                sidecars: vec![local(9181)],
            },
            payments: ServiceAddresses {
                api: local(8082),
                admin: local(9082),
                inbox: local(8092),
                sidecars: vec![local(9182)],
            },
            ui: local(3000),
        }
    }

    /// Free ports, all on the loopback interface, for up to `sidecars` replicas per service.
    pub(super) fn free(sidecars: usize) -> Result<Self> {
        let local = || ports::free().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let service = || {
            Ok(ServiceAddresses {
                api: local()?,
                admin: local()?,
                inbox: local()?,
                sidecars: (0..sidecars).map(|_| local()).collect::<Result<_>>()?,
            })
        };
        Ok(Self {
            postgres: ports::free()?,
            kafka: ports::free()?,
            kafka_controller: ports::free()?,
            gateway: local()?,
            gateway_admin: local()?,
            gateway_inbox: local()?,
            gateway_sidecar: local()?,
            orders: service()?,
            payments: service()?,
            ui: local()?,
        })
    }

    /// The listeners of a service by name.
    pub fn service(&self, name: &str) -> Option<&ServiceAddresses> {
        match name {
            "orders" => Some(&self.orders),
            "payments" => Some(&self.payments),
            _ => None,
        }
    }

    /// Where a sidecar delivers: the inbox of a service or of the gateway.
    pub(super) fn inbox(&self, name: &str) -> Option<SocketAddr> {
        if name == "gateway" {
            return Some(self.gateway_inbox);
        }
        self.service(name).map(|service| service.inbox)
    }

    /// The admin listener of a program by name.
    pub fn admin(&self, name: &str) -> Option<SocketAddr> {
        match name {
            "gateway" => return Some(self.gateway_admin),
            "gateway-sidecar" => return Some(self.gateway_sidecar),
            _ => {}
        }
        match name.split_once("-sidecar") {
            None => self.service(name).map(|service| service.admin),
            Some((service, replica)) => {
                let replica = match replica.strip_prefix('-') {
                    Some(number) => number.parse::<usize>().ok()?.checked_sub(1)?,
                    None => 0,
                };
                self.service(service)?.sidecars.get(replica).copied()
            }
        }
    }

    /// Every port with the part that listens there; PostgreSQL's and Kafka's check their own.
    pub(super) fn listeners(&self, ui: bool) -> impl Iterator<Item = (u16, String)> {
        let services = [("orders", &self.orders), ("payments", &self.payments)];
        let of_services = services.into_iter().flat_map(|(name, at)| {
            [(at.api, ""), (at.admin, "'s admin port"), (at.inbox, "'s inbox")]
                .into_iter()
                .map(move |(address, what)| (address.port(), format!("{name}{what}")))
                .chain(
                    at.sidecars
                        .iter()
                        .map(move |address| (address.port(), format!("{name}-sidecar"))),
                )
        });
        let ui = ui.then(|| (self.ui.port(), "ui".to_owned()));
        [
            (self.gateway.port(), "gateway".to_owned()),
            (self.gateway_admin.port(), "gateway's admin port".to_owned()),
            (self.gateway_inbox.port(), "gateway's inbox".to_owned()),
            (self.gateway_sidecar.port(), "gateway-sidecar".to_owned()),
        ]
        .into_iter()
        .chain(of_services)
        .chain(ui)
    }

    /// The URL under which this machine reaches a listener, without a slash at the end.
    pub(crate) fn url(address: SocketAddr) -> String {
        format!("http://{address}")
    }
}
