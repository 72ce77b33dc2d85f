//! Ports on the loopback interface.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};

/// Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port
/// while its server is down for a restart; above the fixed ports of `make run`.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Reservations of this process. Each is an abstract socket, which the kernel releases when the
/// process ends, however it ends.
static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port nobody listens on, reserved for this process until it ends: no other process that uses
/// this function gets the same.
pub fn free() -> Result<u16> {
    let span = RANGE.end - RANGE.start;
    let start = u16::try_from(uuid::Uuid::new_v4().as_u128() % u128::from(span)).unwrap_or(0);
    (0..span)
        .map(|step| RANGE.start + (start + step) % span)
        .find(|&port| try_reserve(port))
        .ok_or_else(|| {
            Error::Invalid(format!("no free port between {} and {}", RANGE.start, RANGE.end))
        })
}

fn try_reserve(port: u16) -> bool {
    let Ok(lock) = UnixAddr::from_abstract_name(format!("local-stack-port-{port}"))
        .and_then(|addr| UnixListener::bind_addr(&addr))
    else {
        return false;
    };
    // The wildcard address collides with a listener on any interface.
    if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_err() {
        return false;
    }
    HELD.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
    true
}

/// Fails if somebody listens on `port`, naming the holder when `/proc` tells it.
pub fn ensure_free(port: u16, component: &str) -> Result<()> {
    // Binding with SO_REUSEADDR, as std does, is refused by a listener but not by
    // connections of a previous run in TIME_WAIT.
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Error::PortInUse { port, component: component.to_owned(), holder: holder(port) })
        }
    }
}

/// The process listening on `port`, as `name (pid 123)`; only the superuser sees everybody's.
fn holder(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table.lines().skip(1).filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>()
        })
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().into_string().ok()?.parse::<u32>().ok()?;
        let holds = fs::read_dir(entry.path().join("fd")).ok()?.flatten().any(|fd| {
            fs::read_link(fd.path())
                .is_ok_and(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
        });
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        holds.then(|| format!("{} (pid {pid})", name.trim()))
    })
}

/// The socket inode of a `/proc/net/tcp` line in state LISTEN (0A) on `port`.
fn listening_inode(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let local = fields.get(1)?.rsplit(':').next()?;
    let listens = *fields.get(3)? == "0A" && u16::from_str_radix(local, 16).ok()? == port;
    listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_are_distinct_and_bindable() {
        let (a, b) = (free().unwrap(), free().unwrap());
        assert_ne!(a, b);
        TcpListener::bind((Ipv4Addr::LOCALHOST, a)).unwrap();
    }

    #[test]
    fn a_port_in_use_names_component_and_holder() {
        let port = free().unwrap();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let message = ensure_free(port, "the gateway").unwrap_err().to_string();
        assert!(message.contains(&port.to_string()), "{message}");
        assert!(message.contains("the gateway"), "{message}");
        assert!(message.contains(&format!("(pid {})", std::process::id())), "{message}");
    }
}
