//! Ports for servers that go away and come back: nobody else gets them meanwhile.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// The lowest of our ports.
const LOWEST: u32 = 20_000;

/// A port of 127.0.0.1 that nobody uses, another each time: below those that the kernel gives to whoever asks for any or
/// connects to somewhere.
pub fn free() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("Linux");
    let first = range
        .split_whitespace()
        .next()
        .and_then(|it| it.parse().ok());
    let ours = LOWEST..first.expect("a number");
    assert!(!ours.is_empty(), "the kernel gives away ports from {range}");
    for _ in ours.clone() {
        // Processes that run side by side begin in different places.
        let number = process::id() * 97 + GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = (ours.start + number % (ours.end - ours.start)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
