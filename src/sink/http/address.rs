//! Where the server listens, and by which links it is reached.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::connection::WRITE_TIME;
use super::door::Token;
use crate::error::{Error, Result};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

pub const DEFAULT_PORT: u16 = 4912;
/// Bytes that the system may hold for a client that reads slowly; it doubles them. More would be pictures that are old
/// when they arrive, less would slow a fast client.
const SEND_BUFFER: usize = 64 << 10;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// An address to listen on: `127.0.0.1:4912`, `0.0.0.0`, `[::]:80`, or a port on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(SocketAddr);

impl Address {
    pub fn is_loopback(self) -> bool {
        self.0.ip().is_loopback()
    }

    pub(super) fn listen(self) -> Result<TcpListener> {
        let open = || {
            let socket = Socket::new(Domain::for_address(self.0), Type::STREAM, Some(Protocol::TCP))?;
            // So that a program that is started anew gets its port back at once.
            #[cfg(unix)]
            socket.set_reuse_address(true)?;
            // Accepted connections inherit it.
            socket.set_send_buffer_size(SEND_BUFFER)?;
            // What is small, as events are, the system takes for minutes although the client has vanished.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            socket.set_tcp_user_timeout(Some(WRITE_TIME))?;
            socket.set_nonblocking(true)?;
            socket.bind(&self.0.into())?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from(socket))
        };
        open().map_err(|error: std::io::Error| {
            let reason = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    format!("another program listens there; --serve {} chooses another port", self.next())
                }
                std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
                std::io::ErrorKind::PermissionDenied => "ports below 1024 are for root".to_owned(),
                _ => error.to_string(),
            };
            Error::device(self, reason)
        })
    }

    fn next(self) -> SocketAddr {
        SocketAddr::new(self.0.ip(), self.0.port().checked_add(1).unwrap_or(DEFAULT_PORT))
    }
}

impl Default for Address {
    fn default() -> Address {
        Address(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address> {
        let named = text.replace("localhost", "127.0.0.1");
        let bare = named.trim_start_matches('[').trim_end_matches(']');
        let address = named.parse::<SocketAddr>().ok();
        let address = address.or_else(|| Some(SocketAddr::new(bare.parse::<IpAddr>().ok()?, DEFAULT_PORT)));
        let address = address.or_else(|| Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), named.parse().ok()?)));
        let expected = "expected an address of this machine and a port, such as 127.0.0.1:4912 or 0.0.0.0:4912";
        address.map(Address).ok_or_else(|| Error::input(text, expected))
    }
}

/// One link for each address by which the listening `address` is reached.
pub(super) fn links(address: SocketAddr, token: Option<&Token>) -> Vec<String> {
    let port = address.port();
    let query = token.map_or(String::new(), |token| format!("?token={}", token.as_str()));
    let mut reached = vec![address.ip()];
    if address.ip().is_unspecified() {
        let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()
            .unwrap_or_default()
            .into_iter()
            .map(|interface| interface.ip())
            .filter(|ip| ip.is_ipv4() || address.is_ipv6())
            .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
            .collect();
        // Those by which others reach it first.
        found.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6(), *ip));
        found.dedup();
        reached = if found.is_empty() { vec![Ipv4Addr::LOCALHOST.into()] } else { found };
    }
    reached.into_iter().map(|ip| format!("http://{}/{query}", SocketAddr::new(ip, port))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_leave_out_what_is_usual() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0", "0.0.0.0:4912"),
            ("8080", "127.0.0.1:8080"),
            ("localhost:1", "127.0.0.1:1"),
            ("localhost", "127.0.0.1:4912"),
            ("[::1]:5000", "[::1]:5000"),
            ("::1", "[::1]:4912"),
            ("[::]", "[::]:4912"),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), address);
        }
        for text in ["", ":", "example.org", "1.2.3", "70000", "127.0.0.1:", "-1", "0.0.0.0:99999"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_in_use_is_said_to_be() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = Address(taken.local_addr().expect("it is bound"));
        let error = address.listen().expect_err("it is taken").to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--serve"), "{error}");
    }
}
