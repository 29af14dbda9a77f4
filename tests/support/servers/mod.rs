//! Servers that tests play from, which can be taken away and come back: [`http`] here, RTSP in `rtsp.py`.

pub mod http;
pub mod ports;
pub mod rtsp;
